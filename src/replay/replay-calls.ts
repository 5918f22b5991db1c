import { GrpcStatus } from '../runtime/grpc/status.ts';
import type { GrpcExchange, GrpcRequest, GrpcSink, GrpcTransport } from '../runtime/grpc/transport.ts';
import { MessageKind, type HeaderBlock } from '../runtime/http/headers.ts';
import { Status } from '../runtime/wasm/abi.ts';
import type { CalloutSink, CalloutTransport } from '../runtime/wasm/callouts.ts';
import type { GuestCall } from '../runtime/wasm/grpc.ts';
import { bytesOf, type CallbackRecord, type RecordedCall } from '../runtime/wasm/tap/record.ts';
import { blockOf } from './replay-stream.ts';

/** Callouts that go nowhere; their answers come from the recording. */
export class ReplayCalls implements CalloutTransport, GrpcTransport {
  readonly #http = new Map<number, { readonly token: number; readonly sink: CalloutSink }>();
  readonly #grpc = new Map<number, GuestCall>();
  #token = 0;
  /** The recorded call that the next one stands for; null: nothing is known of it. */
  #recorded: RecordedCall | null = null;

  sends(recorded: RecordedCall | null): void {
    this.#recorded = recorded;
  }

  httpCall(
    _cluster: number,
    _head: HeaderBlock,
    _body: Uint8Array,
    _trailers: HeaderBlock | null,
    _timeoutMs: number,
    sink: CalloutSink,
  ): number {
    const id = this.#take();
    if (id < 0) return 0;
    const token = ++this.#token;
    if (id > 0) this.#http.set(id, { token, sink });
    return token;
  }

  cancel(): void {}

  open(_cluster: number, _request: GrpcRequest, sink: GrpcSink): GrpcExchange | null {
    const id = this.#take();
    if (id < 0) return null;
    if (id > 0) this.#grpc.set(id, sink as GuestCall);
    return {
      send: () => this.#recorded?.call !== 'proxy_grpc_send' || this.#recorded.status === Status.Ok,
      end: () => undefined,
      cancel: () => undefined,
    };
  }

  /** @returns the recorded number of the call; 0 where there is none; -1 where it was not sent */
  #take(): number {
    const recorded = this.#recorded;
    if (recorded === null) return 0;
    return recorded.status === Status.Ok ? (recorded.out!.at(-1) as number) : -1;
  }

  /**
   * Delivers what came of a callout.
   *
   * @returns false where the replayed filter did not make it
   */
  deliver({ callback, args, answer }: CallbackRecord): boolean {
    const { headers, body, trailers, status, message } = answer!;
    const id = args[0]!;
    if (callback === 'proxy_on_http_call_response') {
      const call = this.#http.get(id);
      if (call === undefined) return false;
      this.#http.delete(id);
      if (status === Status.Ok) {
        const end = trailers.length === 0 ? null : blockOf(trailers, MessageKind.Trailers);
        call.sink.onResponse(call.token, blockOf(headers, MessageKind.Response), bytesOf(body), end);
      } else call.sink.onFailure(call.token, message);
      return true;
    }
    const call = this.#grpc.get(id);
    if (call === undefined) return false;
    const kind = headers.some(([name]) => name === ':status') ? MessageKind.Response : MessageKind.Trailers;
    const initial = blockOf(headers, kind);
    const trailing = blockOf(trailers, MessageKind.Trailers);
    if (callback === 'proxy_on_grpc_receive_initial_metadata') call.onInitialMetadata(initial);
    else if (callback === 'proxy_on_grpc_receive_trailing_metadata') call.onTrailingMetadata(trailing);
    else if (callback === 'proxy_on_grpc_receive' && call.stream) call.onMessage(bytesOf(body));
    else {
      this.#grpc.delete(id);
      if (!call.stream) {
        call.onInitialMetadata(initial);
        call.onTrailingMetadata(trailing);
      }
      if (callback === 'proxy_on_grpc_close') call.onClose(args[1] as GrpcStatus, message);
      else {
        call.onMessage(bytesOf(body));
        call.onClose(GrpcStatus.Ok, message);
      }
    }
    return true;
  }
}
