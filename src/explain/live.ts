import { portKey } from '../runtime/snapshot.ts';
import type { Stream } from '../runtime/stream.ts';
import type { StreamObserver, StreamWatch } from '../runtime/stream-observer.ts';
import { explain } from './explanation.ts';
import { Redaction } from './redaction.ts';
import { EXPLAIN_FIELD, sessionOf } from './token.ts';
import { fieldsOf, Trace, type Fields } from './trace.ts';

/** Who is to be told of requests of clients. Plain data. */
export interface ExplainSpec {
  /** Of the tokens, base64. */
  readonly key: string;
  /** Requests, at most. */
  readonly count: number;
  /** Further fields whose values are secret. */
  readonly redact: readonly string[];
}

const NAME = Buffer.from(EXPLAIN_FIELD);
/** Streams that have begun are waited for so long when a session ends. */
const END_MS = 10_000;

class Session {
  begun = 0;
  readonly underWay = new Set<Trace>();
  idle: () => void = () => undefined;
  readonly key: Buffer;
  readonly redaction: Redaction;
  readonly spec: ExplainSpec;
  readonly write: (line: string, begun: number) => void;

  constructor(spec: ExplainSpec, write: Session['write']) {
    this.spec = spec;
    this.write = write;
    this.key = Buffer.from(spec.key, 'base64');
    this.redaction = new Redaction(spec.redact);
  }
}

/** Explains those requests of a worker that carry a token of a session. */
export class LiveExplanations implements StreamWatch {
  readonly #sessions = new Map<number, Session>();
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /** @param write takes an explanation as a line of JSON, and how many requests have begun */
  open(id: number, spec: ExplainSpec, write: Session['write']): void {
    this.#sessions.set(id, new Session(spec, write));
  }

  /** @returns how many requests it was for, when those that have begun are explained, or after ten seconds */
  async close(id: number): Promise<number> {
    const session = this.#sessions.get(id);
    if (session === undefined) return 0;
    this.#sessions.delete(id);
    if (session.underWay.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, END_MS);
        session.idle = resolve;
      });
      clearTimeout(timer);
    }
    return session.begun;
  }

  begin(stream: Stream): StreamObserver | null {
    const session = this.#claim(stream);
    if (session === null) return null;
    const head = fieldsOf(stream.request);
    const trace = new Trace((ended) => this.#ended(session, trace, head, ended));
    session.begun++;
    session.underWay.add(trace);
    return trace;
  }

  /** Takes the token away: what comes after this is the request as it would be without it. */
  #claim({ request }: Stream): Session | null {
    for (let at = request.indexOf(NAME); at >= 0; at = request.indexOf(NAME, at + 1)) {
      const tokens = request
        .valueText(at)
        .split(',')
        .map((token) => token.trim());
      const found = tokens.map((token) => sessionOf(token, (id) => this.#sessions.get(id)?.key, this.#now()));
      const index = found.findIndex((id) => id !== null);
      if (index < 0) continue;
      request.removeAt(at);
      // A weir behind this one may have to explain it, too.
      const others = tokens.filter((_, i) => i !== index);
      if (others.length > 0) request.appendText(EXPLAIN_FIELD, others.join(', '));
      const session = this.#sessions.get(found[index]!)!;
      return session.begun < session.spec.count ? session : null;
    }
    return null;
  }

  #ended(session: Session, trace: Trace, head: Fields, stream: Stream): void {
    const { snapshot } = stream.live;
    const port = snapshot.ports.find((each) => portKey(each) === stream.connection.port.key);
    // Not in the way of those who are served.
    setImmediate(() => {
      session.underWay.delete(trace);
      if (port !== undefined) {
        const explanation = explain(snapshot, port, trace, trace.status);
        session.write(`${JSON.stringify(session.redaction.of(explanation, head))}\n`, session.begun);
      }
      if (session.underWay.size === 0) session.idle();
    });
  }
}
