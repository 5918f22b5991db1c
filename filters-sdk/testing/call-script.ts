import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import type { CalloutSink, CalloutTransport } from '../../src/runtime/wasm/callouts.ts';
import type { ManualClock } from './clock.ts';
import type { Deliveries } from './deliveries.ts';
import { blockOf, entriesOf, layFields, listOf, piecesOf, recordOf } from './fields.ts';
import type { CallAnswer, CallScript, HttpCall } from './testing.d.ts';

interface Waiting {
  readonly call: SentCall;
  readonly token: number;
  readonly sink: CalloutSink;
  readonly stopTimer: () => void;
}

interface SentCall extends HttpCall {
  outcome: string;
}

/** Upstreams of calls, as the test plays them. Answers are delivered by `pump`, never from within a host call. */
export class ScriptedCalls implements CalloutTransport {
  readonly sent: SentCall[] = [];
  readonly scripts = new Map<string, CallScript>();
  readonly #clock: ManualClock;
  readonly #names: readonly string[];
  readonly #deliveries: Deliveries;
  readonly #waiting = new Map<number, Waiting>();
  readonly #unasked: Waiting[] = [];
  readonly #used = new Map<CallScript, number>();

  constructor(clock: ManualClock, names: readonly string[], deliveries: Deliveries) {
    this.#clock = clock;
    this.#names = names;
    this.#deliveries = deliveries;
  }

  httpCall(
    cluster: number,
    head: HeaderBlock,
    body: Uint8Array,
    trailers: HeaderBlock | null,
    timeoutMs: number,
    sink: CalloutSink,
  ): number {
    const fields = entriesOf(head);
    const named = recordOf(fields);
    const bytes = Uint8Array.from(body);
    const call: SentCall = {
      upstream: this.#names[cluster]!,
      method: named[':method'] ?? '',
      path: named[':path'] ?? '',
      authority: named[':authority'] ?? '',
      headers: recordOf(fields.filter(([name]) => !name.startsWith(':'))),
      body: Buffer.from(bytes).toString(),
      bytes,
      trailers: recordOf(entriesOf(trailers)),
      timeoutMs,
      outcome: 'waiting',
    };
    const token = this.sent.push(call);
    const stopTimer = this.#clock.after(timeoutMs, () => this.#fail(token, 'timeout'));
    const waiting: Waiting = { call, token, sink, stopTimer };
    this.#waiting.set(token, waiting);
    this.#unasked.push(waiting);
    return token;
  }

  cancel(token: number): void {
    const waiting = this.#take(token);
    if (waiting !== undefined) waiting.call.outcome = 'cancelled';
  }

  /** Asks the scripts for what they have not been asked for yet. */
  pump(): void {
    for (let waiting = this.#unasked.shift(); waiting !== undefined; waiting = this.#unasked.shift())
      this.#ask(waiting);
  }

  /** Calls that nothing but time will end. */
  get waiting(): readonly HttpCall[] {
    return [...this.#waiting.values()].map(({ call }) => call);
  }

  #ask(waiting: Waiting): void {
    const script = this.scripts.get(waiting.call.upstream);
    if (script === undefined) return;
    if (typeof script !== 'function') {
      const used = this.#used.get(script) ?? 0;
      if (used >= script.length) return;
      this.#used.set(script, used + 1);
      this.#answer(waiting.token, script[used]!);
      return;
    }
    const answer = script(waiting.call);
    if (!(answer instanceof Promise)) {
      this.#answer(waiting.token, answer);
      return;
    }
    this.#deliveries.await(answer.then((late) => this.#answer(waiting.token, late)));
  }

  #answer(token: number, answer: CallAnswer): void {
    if (answer === null) return;
    if ('fail' in answer) {
      this.#fail(token, answer.fail);
      return;
    }
    const waiting = this.#take(token);
    if (waiting === undefined) return;
    const status = String(answer.status ?? 200);
    const head = blockOf(MessageKind.Response, [[':status', status], ...listOf(answer.headers)]);
    const body = Buffer.concat(piecesOf(answer.body));
    const trailers = answer.trailers === undefined ? null : new HeaderBlock();
    trailers?.reset(MessageKind.Trailers);
    if (trailers !== null) layFields(trailers, listOf(answer.trailers));
    waiting.call.outcome = status;
    this.#deliveries.add(`answer of ${waiting.call.upstream}`, () =>
      waiting.sink.onResponse(token, head, body, trailers),
    );
  }

  #fail(token: number, reason: string): void {
    const waiting = this.#take(token);
    if (waiting === undefined) return;
    waiting.call.outcome = reason;
    this.#deliveries.add(`${reason} of ${waiting.call.upstream}`, () =>
      waiting.sink.onFailure(token, reason),
    );
  }

  #take(token: number): Waiting | undefined {
    const waiting = this.#waiting.get(token);
    waiting?.stopTimer();
    this.#waiting.delete(token);
    return waiting;
  }
}
