// A filter that uses every part of the SDK; what a request is for is told by its path.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  CallResponse,
  LimitDecision,
  LogLevel,
  PairsWriter,
  Reply,
  RootContext,
  StreamContext,
  booleanProperty,
  compareAndSetShared,
  dequeue,
  enqueue,
  floatProperty,
  getShared,
  httpCall,
  integerProperty,
  log,
  logInfo,
  logs,
  now,
  property,
  propertyPath,
  registerQueue,
  registerRoot,
  replyWith,
  requestBody,
  requestHeader,
  requestHeaders,
  requestTrailers,
  resetStream,
  resolveQueue,
  responseBody,
  responseHeaders,
  responseTrailers,
  resumeRequest,
  setProperty,
  setTickPeriod,
  sharedVersion,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { Algorithm, Limit, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';
import { isSpellingOf } from '@weir/filters-sdk/assembly/fields';
import { Counter, Gauge, Histogram, MetricName } from '@weir/filters-sdk/assembly/metrics';
import { fromBase64, toBase64 } from '@weir/filters-sdk/assembly/base64';
import { Parts, decodeQuery, encodePart } from '@weir/filters-sdk/assembly/parts';

class KitRoot extends RootContext {
  configuration: string = '';
  queue: u32 = 0;
  limit: Limit = new Limit(2, 1000, 0, Algorithm.TokenBucket, Scope.Node);

  onStart(configuration: ArrayBuffer): bool {
    logInfo('start ' + String.UTF8.decode(configuration));
    return true;
  }

  onConfigure(configuration: ArrayBuffer): bool {
    this.configuration = String.UTF8.decode(configuration);
    this.queue = registerQueue('jobs');
    if (this.configuration == 'tick') setTickPeriod(5);
    return this.configuration != 'refuse';
  }

  onTick(): void {
    setTickPeriod(0);
    const headers = new PairsWriter().add(':method', 'GET').add(':path', '/').add(':authority', 'a');
    logInfo('tick ' + (httpCall('auth', headers, '', 100) != 0).toString());
  }

  onCallResponse(response: CallResponse): void {
    logInfo('root got ' + response.status.toString());
  }

  onQueueReady(queue: u32): void {
    const item = dequeue(queue);
    logInfo('queue ' + (item === null ? 'empty' : item.toString()));
  }

  onDone(): bool {
    logInfo('root done');
    return true;
  }

  onDelete(): void {
    logInfo('root deleted');
  }

  createStream(): StreamContext {
    return new Kit(this);
  }
}

class Kit extends StreamContext {
  garbage: string = '';

  constructor(private root: KitRoot) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path');
    if (path === null) return replyWith(500, 'no path');
    if (path.equals('/bytes')) this.bytes();
    else if (path.startsWith('/properties')) this.properties();
    else if (path.equals('/metrics')) metrics();
    else if (path.startsWith('/parts')) takeApart(path);
    else if (path.equals('/spelling')) removeSpellings();
    else if (path.equals('/shared')) this.shared();
    else if (path.equals('/call')) return this.call();
    else if (path.equals('/limit')) return this.take();
    else if (path.equals('/reset')) resetStream();
    else if (path.equals('/abort')) throw new Error('on purpose');
    else if (path.equals('/replace')) {
      requestHeaders.replaceAll(new PairsWriter().add('x-only', 'one').add('x-id', this.id.toString()));
    } else if (path.equals('/reply')) {
      const reply = new Reply(418, 'tea', 'too short');
      reply.headers.add('x-pot', 'small');
      return reply.send();
    } else if (path.equals('/garbage')) {
      for (let i = 0; i < 20; i++) this.garbage = this.garbage + count.toString() + endOfStream.toString();
    }
    return Action.Continue;
  }

  private bytes(): void {
    const value = requestHeader('x-value')!;
    const writer = new ByteWriter(1);
    writer.add(value.trim()).addByte(124).addNumber(value.trim().toUnsigned()).addByte(124);
    writer.addNumber(value.indexOf(52)).addByte(124).addNumber(value.indexOfBytes('23')).addByte(124);
    writer
      .add(value.slice(1, 3))
      .addByte(124)
      .addNumber(i64.MIN_VALUE + 1)
      .addByte(124)
      .add('é€😀');
    requestHeaders.set('x-written', writer.view());
    requestHeaders.set('x-text', value.toString().toUpperCase() + 'é');
    requestHeaders.set('x-same', value.equalsIgnoreCase(' 12345 AbC ').toString());
    requestHeaders.set('x-secret', value.equalsInConstantTime(' 12345 abc ').toString());
    requestHeaders.set(
      'x-ends',
      (value.endsWith('c ') && !value.endsWith('b ') && value.lastIndexOf(32) == 10).toString(),
    );
    const fields = requestHeaders.all();
    let named = 0;
    while (fields.nextNamed('x-many')) named++;
    requestHeaders.set('x-count', named.toString() + ' of ' + fields.count.toString());
    requestHeaders.set('x-refused', requestHeaders.set('x bad', '').toString());
    requestHeaders.remove('x-many');
  }

  private properties(): void {
    const missing = property('request.nothing') === null;
    setProperty('kit.seen', 'yes');
    const path = propertyPath('metadata.filter_metadata[envoy.lb].canary');
    const writer = new ByteWriter();
    writer.add(missing.toString()).addByte(32).add(property('kit.seen')!).addByte(32).add(property(path)!);
    writer.addByte(32).addNumber(integerProperty('source.port', -1)).addByte(32);
    writer.addNumber(integerProperty('source.none', -1)).addByte(32);
    writer.add(booleanProperty('connection.mtls', false).toString()).addByte(32);
    writer.add(floatProperty('kit.ratio', -1).toString());
    requestHeaders.set('x-properties', writer.view());
  }

  private shared(): void {
    const known = getShared('hits');
    const hits = known === null ? 0 : known.toUnsigned();
    const version = known === null ? 0 : sharedVersion();
    const set = compareAndSetShared('hits', (hits + 1).toString(), version);
    const stale = compareAndSetShared('hits', '99', version + 1000);
    const queued = enqueue(resolveQueue('', 'jobs'), 'job ' + hits.toString());
    requestHeaders.set(
      'x-shared',
      hits.toString() + ' ' + set.toString() + ' ' + stale.toString() + ' ' + queued.toString(),
    );
  }

  private call(): Action {
    const headers = new PairsWriter().add(':method', 'POST').add(':path', '/check').add(':authority', 'auth');
    const unknown = httpCall('nobody', headers, '', 100);
    const token = httpCall('auth', headers.add('x-a', 'b'), 'body', 250);
    requestHeaders.set('x-sent', (unknown == 0 && token != 0).toString());
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    if (response.failed) {
      const reason = response.reason.toString();
      replyWith(503, 'failed: ' + reason);
      return;
    }
    const kind = response.headers.get('x-kind');
    requestHeaders.set(
      'x-answer',
      response.status.toString() + ' ' + kind!.toString() + ' ' + response.body.toString(),
    );
    resumeRequest();
  }

  private take(): Action {
    const limit = this.root.limit;
    const state = limit.take('key', 1);
    const decision = limit.decision;
    if (state == LimitState.Pending) return Action.Pause;
    requestHeaders.set(
      'x-limit',
      state.toString() +
        ' ' +
        decision.remaining.toString() +
        ' ' +
        decision.limit.toString() +
        ' ' +
        decision.resetMs.toString() +
        ' ' +
        decision.retryAfterMs.toString(),
    );
    return Action.Continue;
  }

  onLimitDecision(decision: LimitDecision): void {
    requestHeaders.set(
      'x-limit',
      'late ' + decision.allowed.toString() + ' ' + decision.remaining.toString(),
    );
    resumeRequest();
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    const body = requestBody.read();
    requestBody.replace('[' + body.toString() + ':' + size.toString() + ']');
    requestBody.prepend('<');
    requestBody.append('>');
    requestBody.splice(1, 1, '{');
    return Action.Continue;
  }

  onRequestTrailers(count: i32): Action {
    requestTrailers.add('x-trailers', count.toString());
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.add('x-response', count.toString() + endOfStream.toString());
    return Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    responseBody.append(size.toString() + endOfStream.toString());
    return Action.Continue;
  }

  onResponseTrailers(count: i32): Action {
    responseTrailers.set('x-trailers', count.toString());
    return Action.Continue;
  }

  onDone(): void {
    log(LogLevel.Debug, 'done');
  }

  onLog(): void {
    const path = requestHeader(':path');
    if (logs(LogLevel.Trace))
      logInfo('log ' + (path === null ? '' : path.toString()) + ' ' + (now() / 1000000).toString());
  }

  onDelete(): void {
    logInfo('deleted');
  }
}

function metrics(): void {
  const counter = new Counter(new MetricName('seen_total').label('route', 'a=b').label('class', '2xx'));
  counter.add();
  counter.add(2);
  const gauge = new Gauge(new MetricName('level'));
  gauge.set(10);
  gauge.add(-3);
  new Histogram(new MetricName('size')).observe(42);
  requestHeaders.set('x-metrics', counter.value.toString() + ' ' + gauge.value.toString());
}

function takeApart(path: Bytes): void {
  const parts = new Parts();
  const decoded = new ByteWriter();
  let seen = '';
  parts.query(path);
  while (parts.next()) {
    seen += parts.whole.toString() + ' ' + decodeQuery(parts.name, decoded).toString();
    seen += ':' + decodeQuery(parts.value, decoded).toString() + '|';
  }
  const fields = requestHeaders.all();
  while (fields.nextNamed('cookie')) {
    parts.cookies(fields.value);
    while (parts.next())
      seen += parts.whole.toString() + ' ' + parts.name.toString() + ':' + parts.value.toString() + '|';
  }
  const encoded = new ByteWriter();
  encodePart(view(String.UTF8.encode(seen)), encoded);
  requestHeaders.set('x-encoded', encoded.view());
  requestHeaders.set('x-parts', seen);
  const base64 = toBase64(path).toString();
  requestHeaders.set(
    'x-base64',
    base64 +
      ' ' +
      fromBase64(view(utf8(base64)))!
        .equals(path)
        .toString(),
  );
}

function removeSpellings(): void {
  const header = utf8('x-user');
  const fields = requestHeaders.all();
  while (fields.next()) if (isSpellingOf(fields.name, header)) requestHeaders.remove(fields.name);
}

registerRoot(new KitRoot());
