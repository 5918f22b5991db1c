// Queue: one filter writes a line for each request, another one, at its own pace, sends them away in batches.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  CallResponse,
  PairsWriter,
  RootContext,
  StreamContext,
  dequeue,
  enqueue,
  httpCall,
  integerProperty,
  logError,
  logWarn,
  propertyPath,
  registerQueue,
  registerRoot,
  requestHeaders,
  resolveQueue,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const QUEUE = utf8('journal');
const METHOD = utf8(':method');
const PATH = utf8(':path');
const CODE = propertyPath('response.code');
const BATCH_BYTES = 16 * 1024;

// Writers are made once and cleared.
const head = new PairsWriter();
const line = new ByteWriter(512);
const batch = new ByteWriter(BATCH_BYTES);

class JournalRoot extends RootContext {
  isWriter: bool = false;
  private upstream: ArrayBuffer = new ArrayBuffer(0);
  private queue: u32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.isWriter = config.choice('role', ['write', 'send']) == 0;
    this.upstream = config.text('upstream', new ArrayBuffer(0));
    if (!config.end()) return false;
    if (!this.isWriter) this.queue = registerQueue(QUEUE);
    if (!this.isWriter && this.queue == 0) logError('no room for a queue');
    return this.isWriter || this.queue != 0;
  }

  /** Looked up when it is first needed: the one that sends may start later. */
  write(text: ByteWriter): void {
    if (this.queue == 0) this.queue = resolveQueue('', QUEUE);
    // Full, or nobody sends: a journal is no reason to stop a request.
    if (this.queue == 0 || !enqueue(this.queue, text.view())) logWarn('journal: a line is lost');
  }

  /** Told once for each item, in one of the instances; another one may have taken it by then. */
  onQueueReady(queue: u32): void {
    batch.clear();
    while (batch.length < BATCH_BYTES) {
      const item = dequeue(queue);
      if (item === null) break;
      batch.add(item).addByte(10);
    }
    if (batch.length == 0) return;
    head.clear().add(':method', 'POST').add(':path', '/journal').add(':authority', this.upstream);
    if (httpCall(this.upstream, head, batch.view(), 5000) == 0) logWarn('journal: a batch is lost');
  }

  onCallResponse(response: CallResponse): void {
    if (response.status != 200) logWarn('journal: the batch was answered ' + response.status.toString());
  }

  createStream(): StreamContext {
    return new Journal(this);
  }
}

class Journal extends StreamContext {
  constructor(private root: JournalRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    return Action.Continue;
  }

  onLog(): void {
    if (!this.root.isWriter) return;
    line.clear();
    const method = requestHeaders.get(METHOD);
    const path = requestHeaders.get(PATH);
    if (method !== null && path !== null) line.add(method).addByte(32).add(path).addByte(32);
    this.root.write(line.addNumber(integerProperty(CODE, 0)));
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new JournalRoot());
