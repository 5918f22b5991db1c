// Server-sent events: reads the use of tokens from the answers of a language model as they stream by, without delaying them.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  logInfo,
  registerRoot,
  requestHeaders,
  responseBody,
  responseHeaders,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';

const CONTENT_TYPE = utf8('content-type');
const CONSUMER = utf8('x-consumer');
const EVENTS = utf8('text/event-stream');
const JSON = utf8('application/json');
const TOTAL = utf8('"total_tokens"');
/** What is kept of a part for the next one: the name, and a number behind it. */
const KEPT_BYTES = 64;

class UsageRoot extends RootContext {
  // Defined in onConfigure: while a module is made no host call is possible.
  tokens!: Counter;
  unknown!: Counter;

  onConfigure(_configuration: ArrayBuffer): bool {
    this.tokens = new Counter(new MetricName('llm_tokens_total'));
    this.unknown = new Counter(new MetricName('llm_answers_without_usage_total'));
    return true;
  }

  createStream(): StreamContext {
    return new Usage(this);
  }
}

class Usage extends StreamContext {
  private isModel: bool = false;
  private consumer: ArrayBuffer = EMPTY;
  /** The end of what has come so far. */
  private tail: StaticArray<u8> = new StaticArray<u8>(KEPT_BYTES + 1);
  private kept: i32 = 0;
  private total: i64 = -1;

  constructor(private root: UsageRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const consumer = requestHeaders.get(CONSUMER);
    this.consumer = consumer === null ? EMPTY : consumer.copy();
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const type = responseHeaders.get(CONTENT_TYPE);
    this.isModel = type !== null && (type.startsWith(EVENTS) || type.startsWith(JSON));
    return Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    if (!this.isModel) return Action.Continue;
    const part = responseBody.read();
    // A name that lies across two parts: the end of the last one with the beginning of this.
    const edge = this.kept;
    const tail = changetype<usize>(this.tail);
    const joined = new ArrayBuffer(edge + min(size, KEPT_BYTES));
    memory.copy(changetype<usize>(joined), tail, edge);
    memory.copy(changetype<usize>(joined) + edge, part.start, joined.byteLength - edge);
    this.find(view(joined));
    this.find(part);
    if (size >= KEPT_BYTES) {
      memory.copy(tail, part.start + size - KEPT_BYTES, KEPT_BYTES);
      this.kept = KEPT_BYTES;
    } else {
      const before = min(edge, KEPT_BYTES - size);
      memory.copy(tail, tail + edge - before, before);
      memory.copy(tail + before, part.start, size);
      this.kept = before + size;
    }
    if (endOfStream) this.report();
    return Action.Continue;
  }

  /** The last number counts: a stream tells the whole sum at its end. */
  private find(text: Bytes): void {
    for (let at = text.indexOfBytes(TOTAL); at >= 0; at = text.indexOfBytes(TOTAL, at + 1)) {
      let from = at + TOTAL.byteLength;
      while (from < text.length && (text.at(from) <= 32 || text.at(from) == 58)) from++;
      let to = from;
      while (to < text.length && <u32>(text.at(to) - 48) < 10) to++;
      // A number that ends with the part may go on in the next one.
      if (to > from && to < text.length) this.total = text.slice(from, to).toUnsigned();
    }
  }

  private report(): void {
    if (this.total < 0) {
      this.root.unknown.add();
      return;
    }
    this.root.tokens.add(this.total);
    logInfo('tokens ' + this.total.toString() + ' ' + String.UTF8.decode(this.consumer));
  }

  recycle(): bool {
    this.isModel = false;
    this.consumer = EMPTY;
    this.kept = 0;
    this.total = -1;
    return true;
  }
}

const EMPTY = new ArrayBuffer(0);

registerRoot(new UsageRoot());
