import { HeaderBlock, MessageKind, STATUS_INDEX } from '../http/headers.ts';
import { Status } from './abi.ts';
import type { Context } from './context-table.ts';
import { CALLOUT_MS } from './limits.ts';
import type { RootContext } from './root.ts';

/** Takes what came of a callout. Never called before `httpCall` has returned. */
export interface CalloutSink {
  /** The blocks and the body are the sink's to read until it returns. */
  onResponse(token: number, headers: HeaderBlock, body: Uint8Array, trailers: HeaderBlock | null): void;
  /**
   * @param reason `timeout`, `unavailable` (no connection), `no answer` (the connection ended before one) or
   * `reset`; other text is a reset that the guest can read
   */
  onFailure(token: number, reason: string): void;
}

/** Sends requests of filters. The runtime implements it with its clusters and pools. */
export interface CalloutTransport {
  /**
   * @param head checked; `:method`, `:path`, `:authority` and `:scheme` are there
   * @param body the transport keeps it
   * @returns a token greater than 0, or 0 where it could not be sent
   */
  httpCall(
    cluster: number,
    head: HeaderBlock,
    body: Uint8Array,
    trailers: HeaderBlock | null,
    timeoutMs: number,
    sink: CalloutSink,
  ): number;
  /** Nothing is delivered for this token any more. */
  cancel(token: number): void;
}

interface Pending {
  /** What the guest knows it by. */
  readonly id: number;
  readonly contextId: number;
}

const NO_BYTES = new Uint8Array(0);
const NO_FIELDS = new HeaderBlock(0);
NO_FIELDS.reset(MessageKind.Trailers);

/** The callouts of one root context. Each is delivered exactly once, even if its stream is over by then. */
export class Callouts implements CalloutSink {
  readonly #root: RootContext;
  readonly #pending = new Map<number, Pending>();

  /** What the running callback may read: maps 6 and 7, buffer 4, and `proxy_get_status`. */
  headers: HeaderBlock | null = null;
  trailers: HeaderBlock | null = null;
  body: Uint8Array | null = null;
  statusCode: number = Status.Ok;
  statusMessage = '';

  constructor(root: RootContext) {
    this.#root = root;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** @returns the guest's id for it, or 0 where it was not sent */
  send(
    context: Context,
    cluster: number,
    head: HeaderBlock,
    body: Uint8Array,
    trailers: HeaderBlock | null,
    timeoutMs: number,
  ): number {
    if (context.outstanding >= context.mostCallouts) return 0;
    const limit = timeoutMs === 0 ? CALLOUT_MS : Math.min(timeoutMs, CALLOUT_MS);
    const token = this.#root.plugin.host.callouts.httpCall(cluster, head, body, trailers, limit, this);
    if (token === 0) return 0;
    const id = this.#root.vm.nextCall();
    context.outstanding++;
    this.#root.plugin.usage.callouts++;
    this.#pending.set(token, { id, contextId: context.id });
    return id;
  }

  onResponse(token: number, headers: HeaderBlock, body: Uint8Array, trailers: HeaderBlock | null): void {
    this.#deliver(token, headers, body, trailers, Status.Ok, '');
  }

  /**
   * As Envoy: a time that ran out looks like the answer 504, an upstream that cannot be reached or ends before it
   * answers like 503, an answer that is cut off like none.
   */
  onFailure(token: number, reason: string): void {
    if (reason === 'timeout')
      this.#deliver(token, answer('504'), NO_BYTES, null, Status.BrokenConnection, reason);
    else if (reason === 'unavailable' || reason === 'no answer')
      this.#deliver(token, answer('503'), NO_BYTES, null, Status.BrokenConnection, reason);
    else this.#deliver(token, NO_FIELDS, NO_BYTES, null, Status.BrokenConnection, reason);
  }

  #deliver(
    token: number,
    headers: HeaderBlock,
    body: Uint8Array,
    trailers: HeaderBlock | null,
    code: number,
    message: string,
  ): void {
    const pending = this.#pending.get(token);
    if (pending === undefined) return;
    this.#pending.delete(token);
    const { vm } = this.#root;
    const context = vm.contexts.get(pending.contextId);
    if (context !== null) context.outstanding--;
    const { httpCallResponse } = vm.callbacks;
    if (vm.dead || httpCallResponse === null) return;
    this.headers = headers;
    this.trailers = trailers ?? NO_FIELDS;
    this.body = body;
    this.statusCode = code;
    this.statusMessage = message;
    vm.call(
      this.#root,
      httpCallResponse,
      'proxy_on_http_call_response',
      pending.id,
      headers.count,
      body.length,
      this.trailers.count,
    );
    this.headers = null;
    this.trailers = null;
    this.body = null;
  }

  cancel(): void {
    for (const token of this.#pending.keys()) this.#root.plugin.host.callouts.cancel(token);
    this.#pending.clear();
  }
}

function answer(status: string): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Response);
  block.setValueText(STATUS_INDEX, status);
  return block;
}
