import { MessageKind } from '../../src/runtime/http/headers.ts';
import type { GrpcStatus } from '../../src/runtime/grpc/status.ts';
import type { GrpcExchange, GrpcRequest, GrpcSink, GrpcTransport } from '../../src/runtime/grpc/transport.ts';
import type { ManualClock } from './clock.ts';
import type { Deliveries } from './deliveries.ts';
import { blockOf, bytesOf, entriesOf, listOf, recordOf } from './fields.ts';
import type { Fields, GrpcAnswer, GrpcCall, GrpcScript } from './testing.d.ts';

const DEADLINE_EXCEEDED: GrpcStatus = 4;

/** gRPC servers, as the test plays them. */
export class ScriptedGrpc implements GrpcTransport {
  readonly opened: OpenedCall[] = [];
  readonly scripts = new Map<string, GrpcScript>();
  readonly #clock: ManualClock;
  readonly #names: readonly string[];
  readonly #deliveries: Deliveries;
  readonly #unasked: OpenedCall[] = [];

  constructor(clock: ManualClock, names: readonly string[], deliveries: Deliveries) {
    this.#clock = clock;
    this.#names = names;
    this.#deliveries = deliveries;
  }

  open(cluster: number, request: GrpcRequest, sink: GrpcSink): GrpcExchange {
    const call = new OpenedCall(this.#names[cluster]!, request, sink, this.#deliveries);
    this.opened.push(call);
    this.#unasked.push(call);
    if (request.timeoutMs > 0)
      call.stopTimer = this.#clock.after(request.timeoutMs, () => call.close(DEADLINE_EXCEEDED, 'timeout'));
    return {
      send: (message) => {
        if (call.ended || call.isOver) return false;
        call.messages.push(Uint8Array.from(message));
        return true;
      },
      end: () => void (call.ended = true),
      cancel: () => call.cancel(),
    };
  }

  pump(): void {
    for (let call = this.#unasked.shift(); call !== undefined; call = this.#unasked.shift()) {
      const answer = this.scripts.get(call.upstream)?.(call);
      if (answer) call.answer(answer);
    }
  }
}

class OpenedCall implements GrpcCall {
  readonly upstream: string;
  readonly service: string;
  readonly method: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly messages: Uint8Array[] = [];
  ended = false;
  cancelled = false;
  isOver = false;
  stopTimer: () => void = () => undefined;
  readonly #sink: GrpcSink;
  readonly #deliveries: Deliveries;

  constructor(upstream: string, request: GrpcRequest, sink: GrpcSink, deliveries: Deliveries) {
    this.upstream = upstream;
    const [, service, method] = request.path.split('/');
    this.service = service ?? '';
    this.method = method ?? '';
    this.metadata = recordOf(entriesOf(request.metadata));
    this.timeoutMs = request.timeoutMs;
    this.#sink = sink;
    this.#deliveries = deliveries;
  }

  sendInitialMetadata(fields: Fields): void {
    const block = blockOf(MessageKind.Response, [[':status', '200'], ...listOf(fields)]);
    this.#tell(() => this.#sink.onInitialMetadata(block));
  }

  send(message: string | Uint8Array): void {
    this.#tell(() => this.#sink.onMessage(bytesOf(message)));
  }

  close(status: number, message = '', trailers?: Fields): void {
    if (this.isOver) return;
    if (trailers !== undefined) {
      const block = blockOf(MessageKind.Trailers, listOf(trailers));
      this.#tell(() => this.#sink.onTrailingMetadata(block));
    }
    this.#tell(() => this.#sink.onClose(status as GrpcStatus, message));
    this.isOver = true;
    this.stopTimer();
  }

  answer(answer: GrpcAnswer): void {
    if (answer.initialMetadata !== undefined) this.sendInitialMetadata(answer.initialMetadata);
    for (const message of answer.messages ?? []) this.send(message);
    this.close(answer.status ?? 0, answer.message, answer.trailers);
  }

  cancel(): void {
    this.cancelled = true;
    this.isOver = true;
    this.stopTimer();
  }

  #tell(job: () => void): void {
    if (this.isOver) return;
    this.#deliveries.add(`answer of ${this.upstream}`, () => {
      if (!this.cancelled) job();
    });
  }
}
