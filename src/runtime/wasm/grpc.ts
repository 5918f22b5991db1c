import type { GrpcExchange, GrpcRequest, GrpcSink } from '../grpc/transport.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { HeaderBlock } from '../http/headers.ts';
import type { Context } from './context-table.ts';
import { GRPC_STREAMS } from './limits.ts';
import type { RootContext } from './root.ts';
import type { GuestFunction } from './vm.ts';

/** The gRPC calls of one root context. Each is told its end exactly once, even if its stream is over by then. */
export class GrpcCalls {
  readonly root: RootContext;
  readonly #calls = new Map<number, GuestCall>();
  #streams = 0;

  /** What the running callback may read: maps 4 and 5, buffer 5. */
  initialMetadata: HeaderBlock | null = null;
  trailingMetadata: HeaderBlock | null = null;
  message: Uint8Array | null = null;

  constructor(root: RootContext) {
    this.root = root;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** @returns what the guest knows it by, or null where it was not sent */
  open(context: Context, cluster: number, request: GrpcRequest, stream: boolean): GuestCall | null {
    if (context.outstanding >= context.mostCallouts || (stream && this.#streams >= GRPC_STREAMS)) return null;
    const call = new GuestCall(this, this.root.vm.nextCall(), context.id, stream);
    const exchange = this.root.plugin.host.grpc.open(cluster, request, call);
    if (exchange === null) return null;
    call.exchange = exchange;
    this.#calls.set(call.id, call);
    context.outstanding++;
    this.root.plugin.usage.callouts++;
    if (stream) this.#streams++;
    return call;
  }

  get(id: number): GuestCall | undefined {
    return this.#calls.get(id);
  }

  /** Nothing comes for this call any more. */
  forget(call: GuestCall): void {
    if (!this.#calls.delete(call.id)) return;
    const context = this.root.vm.contexts.get(call.contextId);
    if (context !== null) context.outstanding--;
    if (call.stream) this.#streams--;
  }

  cancel(): void {
    for (const call of this.#calls.values()) call.exchange.cancel();
    this.#calls.clear();
    this.#streams = 0;
  }
}

/** A call of a guest: a stream tells it everything, a unary call its message or how it failed. */
export class GuestCall implements GrpcSink {
  readonly id: number;
  readonly contextId: number;
  readonly stream: boolean;
  exchange!: GrpcExchange;
  readonly #calls: GrpcCalls;
  #initial: HeaderBlock | null = null;
  #message: Uint8Array | null = null;
  #trailing: HeaderBlock | null = null;

  constructor(calls: GrpcCalls, id: number, contextId: number, stream: boolean) {
    this.#calls = calls;
    this.id = id;
    this.contextId = contextId;
    this.stream = stream;
  }

  onInitialMetadata(metadata: HeaderBlock): void {
    if (!this.stream) {
      this.#initial = metadata;
      return;
    }
    const { grpcInitialMetadata } = this.#calls.root.vm.callbacks;
    this.#calls.initialMetadata = metadata;
    this.#tell(grpcInitialMetadata, 'proxy_on_grpc_receive_initial_metadata', metadata.count);
    this.#calls.initialMetadata = null;
  }

  onMessage(message: Uint8Array): void {
    if (this.stream) this.#receive(message);
    else if (this.#message === null) this.#message = message;
    else {
      this.exchange.cancel();
      this.onClose(GrpcStatus.Internal, 'the upstream sent more than one message');
    }
  }

  onTrailingMetadata(metadata: HeaderBlock): void {
    if (!this.stream) {
      this.#trailing = metadata;
      return;
    }
    const { grpcTrailingMetadata } = this.#calls.root.vm.callbacks;
    this.#calls.trailingMetadata = metadata;
    this.#tell(grpcTrailingMetadata, 'proxy_on_grpc_receive_trailing_metadata', metadata.count);
    this.#calls.trailingMetadata = null;
  }

  onClose(status: GrpcStatus, message: string): void {
    const calls = this.#calls;
    calls.forget(this);
    calls.initialMetadata = this.#initial;
    calls.trailingMetadata = this.#trailing;
    if (this.stream || status !== GrpcStatus.Ok) this.#close(status, message);
    else if (this.#message === null) this.#close(GrpcStatus.Internal, 'the upstream sent no message');
    else {
      this.#setStatus(GrpcStatus.Ok, message);
      this.#receive(this.#message);
    }
    calls.initialMetadata = null;
    calls.trailingMetadata = null;
  }

  #receive(message: Uint8Array): void {
    this.#calls.message = message;
    this.#tell(this.#calls.root.vm.callbacks.grpcReceive, 'proxy_on_grpc_receive', message.length);
    this.#calls.message = null;
  }

  #close(status: GrpcStatus, message: string): void {
    this.#setStatus(status, message);
    this.#tell(this.#calls.root.vm.callbacks.grpcClose, 'proxy_on_grpc_close', status);
  }

  /** For `proxy_get_status`. */
  #setStatus(status: GrpcStatus, message: string): void {
    const { callouts } = this.#calls.root;
    callouts.statusCode = status;
    callouts.statusMessage = message;
  }

  #tell(callback: GuestFunction | null, name: string, value: number): void {
    const { root } = this.#calls;
    if (callback !== null && !root.vm.dead) root.vm.call(root, callback, name, this.id, value);
  }
}
