// Holds requests, and answers, against what an API says of them. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  logWarn,
  registerRoot,
  requestBody,
  requestHeaders,
  responseBody,
  responseHeaders,
  view,
} from '@weir/filters-sdk/assembly';
import { JsonRefusal } from '@weir/filters-sdk/assembly/json-scan';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';
import { ResponseMode, ValidateConfig } from './config';
import { badBody, badParameters, faultAt, refusalOf } from './faults';
import { Content, Operation, isJsonType } from './operation';
import { obstacle, parametersOf } from './parameters';

class ValidateRoot extends RootContext {
  readonly config: ValidateConfig = new ValidateConfig();
  badAnswers: Counter | null = null;

  onConfigure(configuration: ArrayBuffer): bool {
    this.badAnswers = new Counter(new MetricName('validate_bad_responses_total'));
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Validate(this);
  }
}

class Validate extends StreamContext {
  private operation: Operation | null = null;
  /** What the body is held against; null: it goes by. */
  private content: Content | null = null;
  private answer: Content | null = null;

  constructor(private root: ValidateRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const config = this.root.config;
    const target = requestHeaders.get(':path');
    const method = requestHeaders.get(':method');
    if (target === null || method === null) return Action.Continue;
    const mark = target.indexOf(63);
    const path = mark < 0 ? target : target.slice(0, mark);
    const type = mediaType(only('content-type', false));
    const operation = config.find(path, method, type);
    if (operation === null) return config.closed ? refuseUnknown(config, path) : Action.Continue;
    this.operation = operation;
    const checked = operation.checked;
    if (checked !== null || config.strictQuery) {
      const document = parametersOf(operation, target, config.strictQuery);
      if (document === null)
        return badParameters.send(faultAt('/' + obstacle.place, obstacle.name, obstacle.rule));
      const wrong = checked === null ? document.slice(0, 0) : checked.check(document, config.faults);
      if (wrong === null) return badParameters.send(faultAt('', null, 'utf-8'));
      if (wrong.length > 0) return badParameters.send(wrong);
    }
    // Answers in a coding cannot be looked at.
    if (config.responses != ResponseMode.Off && operation.looksAtAnswers)
      requestHeaders.remove('accept-encoding');
    return this.onBodyAhead(operation, type, endOfStream);
  }

  private onBodyAhead(operation: Operation, type: Bytes | null, endOfStream: bool): Action {
    const config = this.root.config;
    if (endOfStream) return operation.bodyRequired ? config.noBody.send() : Action.Continue;
    if (operation.contents.length == 0) return config.unexpectedBody.send();
    const content = operation.contentOf(type);
    if (content === null || isCoded(only('content-encoding', false))) return config.mediaType.send();
    if (!isJsonType(type!)) return Action.Continue;
    this.content = content;
    return Action.Pause;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.content === null) return Action.Continue;
    if (size > this.root.config.maxBytes) return this.root.config.tooLarge.send();
    return endOfStream ? this.checkBody(size) : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    return this.content === null ? Action.Continue : this.checkBody(i32.MAX_VALUE);
  }

  private checkBody(size: i32): Action {
    const config = this.root.config;
    const content = this.content!;
    this.content = null;
    const body = requestBody.read(0, size);
    if (body.length == 0) return this.operation!.bodyRequired ? config.noBody.send() : Action.Continue;
    const wrong = faultsOf(config, content, body);
    return wrong.length == 0 ? Action.Continue : badBody.send(wrong);
  }

  onResponseHeaders(_count: i32, endOfStream: bool): Action {
    const config = this.root.config;
    const operation = this.operation;
    if (config.responses == ResponseMode.Off || operation === null || endOfStream) return Action.Continue;
    const status = responseHeaders.get(':status');
    if (status === null || !operation.knowsStatus(status)) return Action.Continue;
    const type = mediaType(only('content-type', true));
    const content = operation.answerOf(status, type);
    if (content === null) return this.onBadAnswer(faultAt('', null, 'contentType'));
    if (!isJsonType(type!) || content.schema === null) return Action.Continue;
    if (isCoded(only('content-encoding', true)))
      return this.onBadAnswer(faultAt('', null, 'contentEncoding'));
    this.answer = content;
    return config.responses == ResponseMode.Deny ? Action.Pause : Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    if (this.answer === null) return Action.Continue;
    if (size > this.root.config.maxBytes) {
      this.answer = null;
      return this.onBadAnswer(faultAt('', null, 'maxBytes'));
    }
    return endOfStream ? this.checkAnswer(size) : Action.Pause;
  }

  onResponseTrailers(_count: i32): Action {
    return this.answer === null ? Action.Continue : this.checkAnswer(i32.MAX_VALUE);
  }

  private checkAnswer(size: i32): Action {
    const content = this.answer!;
    this.answer = null;
    const wrong = faultsOf(this.root.config, content, responseBody.read(0, size));
    return wrong.length == 0 ? Action.Continue : this.onBadAnswer(wrong);
  }

  private onBadAnswer(list: Bytes): Action {
    const config = this.root.config;
    this.root.badAnswers!.add();
    const path = requestHeaders.get(':path');
    const mark = path === null ? 0 : path.indexOf(63);
    const where = path === null ? '' : (mark < 0 ? path : path.slice(0, mark)).toString();
    logWarn('the answer to ' + where + ' is not as the API says: ' + list.toString());
    return config.responses == ResponseMode.Deny ? config.badAnswer.send() : Action.Continue;
  }

  recycle(): bool {
    this.operation = null;
    this.content = null;
    this.answer = null;
    return true;
  }
}

/** JSON text of what is wrong with a body; empty: nothing. */
function faultsOf(config: ValidateConfig, content: Content, body: Bytes): Bytes {
  const refusal = config.limits!.scanJson(body);
  if (refusal != JsonRefusal.None) return refusalOf(refusal);
  const schema = content.schema;
  if (schema === null) return Bytes.of(0, 0);
  const wrong = schema.check(body, config.faults);
  return wrong === null ? refusalOf(JsonRefusal.Syntax) : wrong;
}

function refuseUnknown(config: ValidateConfig, path: Bytes): Action {
  const allowed = config.allowed(path);
  if (allowed.length == 0) return config.unknownPath.send();
  const reply = Reply.problem(
    405,
    'Method Not Allowed',
    'the API has other methods for this path',
    'validate_method',
  );
  reply.headers.add('allow', allowed);
  return reply.send();
}

/** The one value of a field; null where there is none. Two are like one that nothing knows. */
function only(name: string, ofAnswer: bool): Bytes | null {
  const fields = (ofAnswer ? responseHeaders : requestHeaders).all();
  if (!fields.nextNamed(name)) return null;
  const value = Bytes.of(fields.value.start, fields.value.length);
  return fields.nextNamed(name) ? view(TWICE) : value;
}

const TWICE = String.UTF8.encode('?');

/** Without its parameters. */
function mediaType(value: Bytes | null): Bytes | null {
  if (value === null) return null;
  const mark = value.indexOf(59);
  return (mark < 0 ? value : value.slice(0, mark)).trim();
}

function isCoded(coding: Bytes | null): bool {
  return coding !== null && !coding.equalsIgnoreCase('identity');
}

registerRoot(new ValidateRoot());
