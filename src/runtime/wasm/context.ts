import {
  BodyAction,
  HeadersAction,
  HTTP_PHASES,
  TCP_PHASES,
  TcpAction,
  TrailersAction,
  type CloseType,
} from './abi.ts';
import type { LimitHold } from './limit-claim.ts';
import { CALLOUTS, MiB, REQUEST_MS_PER_MIB } from './limits.ts';
import { REPLIED, TRAPPED } from './outcome.ts';
import type { Plugin } from './plugin.ts';
import type { RootContext } from './root.ts';
import type { StreamHost } from './stream-host.ts';
import type { GuestFunction, Vm } from './vm.ts';

export { TRAPPED } from './outcome.ts';

/**
 * One plugin's part in one stream. The guest learns of it with its first callback, so a stream that a
 * filter never sees costs that filter nothing.
 *
 * Callbacks return the ABI's action for their phase, where values that the ABI does not know are read as
 * its stop value, or `TRAPPED`: then the instance is gone and only `finish` may follow.
 */
export class StreamContext {
  readonly plugin: Plugin;
  /** Its plugin's root context in the instance that serves it. */
  root!: RootContext;
  vm!: Vm;
  /** 0 until the guest knows of it. */
  id = 0;
  /** Null while the object waits to be used again. */
  stream: StreamHost | null = null;
  /** A trap was told to the stream, by a return value or by `contextFailed`. */
  failed = false;
  /** Callouts that it has under way, and how many it may have. */
  outstanding = 0;
  readonly mostCallouts = CALLOUTS;
  /** What it has of limits on what is under way at a time; null: nothing. */
  #holds: LimitHold[] | null = null;

  constructor(plugin: Plugin) {
    this.plugin = plugin;
  }

  begin(root: RootContext, stream: StreamHost): void {
    this.bind(root);
    this.id = 0;
    this.stream = stream;
    this.failed = false;
    this.outstanding = 0;
  }

  bind(root: RootContext): void {
    this.root = root;
    this.vm = root.vm;
  }

  /** @param count fields in the head, pseudo-headers included */
  onRequestHeaders(count: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.requestHeaders;
    if (callback === null) return HeadersAction.Continue;
    return headersAction(this.#call(callback, 'proxy_on_request_headers', count, endOfStream ? 1 : 0));
  }

  /** @param size bytes that the guest can read now, those held by an earlier pause included */
  onRequestBody(size: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.requestBody;
    if (callback === null) return BodyAction.Continue;
    this.#earn(size);
    return bodyAction(this.#call(callback, 'proxy_on_request_body', size, endOfStream ? 1 : 0));
  }

  onRequestTrailers(count: number): number {
    const callback = this.#liveVm().callbacks.requestTrailers;
    if (callback === null) return TrailersAction.Continue;
    return stopOrContinue(this.#call(callback, 'proxy_on_request_trailers', count, 0));
  }

  onResponseHeaders(count: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.responseHeaders;
    if (callback === null) return HeadersAction.Continue;
    return headersAction(this.#call(callback, 'proxy_on_response_headers', count, endOfStream ? 1 : 0));
  }

  onResponseBody(size: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.responseBody;
    if (callback === null) return BodyAction.Continue;
    this.#earn(size);
    return bodyAction(this.#call(callback, 'proxy_on_response_body', size, endOfStream ? 1 : 0));
  }

  onResponseTrailers(count: number): number {
    const callback = this.#liveVm().callbacks.responseTrailers;
    if (callback === null) return TrailersAction.Continue;
    return stopOrContinue(this.#call(callback, 'proxy_on_response_trailers', count, 0));
  }

  onNewConnection(): number {
    const callback = this.#liveVm().callbacks.newConnection;
    if (callback === null) return TcpAction.Continue;
    return stopOrContinue(this.#call(callback, 'proxy_on_new_connection', 0, 0));
  }

  /** @param size bytes that the guest can read now, those held by an earlier pause included */
  onDownstreamData(size: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.downstreamData;
    if (callback === null) return TcpAction.Continue;
    return stopOrContinue(this.#call(callback, 'proxy_on_downstream_data', size, endOfStream ? 1 : 0));
  }

  onUpstreamData(size: number, endOfStream: boolean): number {
    const callback = this.#liveVm().callbacks.upstreamData;
    if (callback === null) return TcpAction.Continue;
    return stopOrContinue(this.#call(callback, 'proxy_on_upstream_data', size, endOfStream ? 1 : 0));
  }

  onDownstreamClose(by: CloseType): void {
    const callback = this.#liveVm().callbacks.downstreamClose;
    if (callback !== null) this.#call(callback, 'proxy_on_downstream_connection_close', by, 0);
  }

  onUpstreamClose(by: CloseType): void {
    const callback = this.#liveVm().callbacks.upstreamClose;
    if (callback !== null) this.#call(callback, 'proxy_on_upstream_connection_close', by, 0);
  }

  /** Has the guest say in the property `explanation` why it did what it did; it changes nothing. Of weir alone. */
  explain(): void {
    const { vm } = this;
    const { explain } = vm.callbacks;
    if (explain === null || vm.dead || this.id === 0) return;
    vm.readOnly = true;
    this.#call(explain, 'weir_on_explain', 0, 0);
    vm.readOnly = false;
  }

  /** The stream is over: done, log, delete, in this order. The object must not be used afterwards. */
  finish(): void {
    if (this.stream === null) return;
    const vm = this.#liveVm();
    // A filter that only logs has no callback before this one; one with phases saw none of this stream.
    const phases = this.stream.protocol === 'tcp' ? TCP_PHASES : HTTP_PHASES;
    const logsOnly = (this.plugin.wants & phases) === 0 && vm.callbacks.log !== null;
    if (!vm.dead && (this.id !== 0 || (logsOnly && this.#create()))) this.#end(vm);
    // Held until here, so that a trap at the end does not tell this stream of a failure.
    this.stream = null;
    if (this.#holds !== null) {
      for (const hold of this.#holds) hold.release();
      this.#holds = null;
    }
    if (this.id !== 0) vm.contexts.remove(this.id);
    this.plugin.release(this);
  }

  /** Until the stream is over. */
  hold(holds: LimitHold[]): void {
    this.#holds = this.#holds === null ? holds : [...this.#holds, ...holds];
  }

  #end(vm: Vm): void {
    const { done, log, delete: remove } = vm.callbacks;
    vm.readOnly = true;
    if (done !== null) vm.call(this, done, 'proxy_on_done', 0, 0);
    if (log !== null && !vm.dead) vm.call(this, log, 'proxy_on_log', 0, 0);
    if (remove !== null && !vm.dead) vm.call(this, remove, 'proxy_on_delete', 0, 0);
    vm.readOnly = false;
  }

  /** A context that its guest does not know yet leaves an instance that trapped. */
  #liveVm(): Vm {
    if (this.vm.dead && this.id === 0) this.plugin.rebind(this);
    return this.vm;
  }

  #call(callback: GuestFunction, name: string, b: number, c: number): number {
    const vm = this.vm;
    if (vm.dead || (this.id === 0 && !this.#create())) {
      this.failed = true;
      return TRAPPED;
    }
    const result = vm.call(this, callback, name, b, c);
    if (result === TRAPPED) this.failed = true;
    return result;
  }

  /** A body of any size may be worked on: the budget of its request grows with what is shown. */
  #earn(size: number): void {
    const stream = this.stream!;
    stream.guestMs = Math.max(0, stream.guestMs - (size * REQUEST_MS_PER_MIB) / MiB);
  }

  #create(): boolean {
    const vm = this.vm;
    this.id = vm.contexts.add(this);
    const { contextCreate } = vm.callbacks;
    return (
      contextCreate === null ||
      vm.call(this, contextCreate, 'proxy_on_context_create', this.root.id, 0) !== TRAPPED
    );
  }
}

function headersAction(result: number): number {
  if (result <= HeadersAction.StopAllIterationAndWatermark && result !== REPLIED) return result;
  return HeadersAction.StopAllIterationAndWatermark;
}

function bodyAction(result: number): number {
  if (result <= BodyAction.StopIterationNoBuffer && result !== REPLIED) return result;
  return BodyAction.StopIterationNoBuffer;
}

/** Of trailers and of all that TCP has. */
function stopOrContinue(result: number): number {
  return result === TrailersAction.Continue || result === TRAPPED ? result : TrailersAction.StopIteration;
}
