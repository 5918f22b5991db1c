import type { Connection } from './connection.ts';
import { CONTENT_LENGTH } from './http/fields.ts';
import type { HeaderBlock } from './http/headers.ts';
import { Framing } from './http/parse.ts';
import { statusOf } from './http/write.ts';

const NO_BYTES = Buffer.alloc(0);

/** Why the upstream connection is not read. Bits. */
export const AnswerPause = { Downstream: 1, Filter: 2, Bandwidth: 4 } as const;

/** Whose answer it is, as far as the relay has to know. */
export interface AnswerTarget {
  readonly answer: HeaderBlock;
  readonly connection: Connection;
  /** Whether a filter reads or changes the body. */
  readonly filtersTakeAnswerBody: boolean;
  status: number;
  bytesSent: number;
  pauseAnswer(): void;
  resumeAnswer(): void;
}

/** The answer on its way from the filters to the downstream connection. */
export class AnswerRelay {
  framing: Framing = Framing.None;
  length = 0;
  /** There is an answer, the upstream's or one made here. */
  begun = false;
  headSent = false;
  /** All of it has been handed to the connection. */
  done = false;
  /** The request was HEAD: a body is announced and not sent. */
  headOnly = false;
  /** Protocol that a 101 switches to. */
  upgrade: Buffer | null = null;
  /** What the connection ends the answer with. */
  trailers: HeaderBlock | null = null;
  readonly #target: AnswerTarget;
  #pauses = 0;
  #dropsBody = false;

  constructor(target: AnswerTarget) {
    this.#target = target;
  }

  reset(headOnly: boolean): void {
    this.begun = this.headSent = this.done = false;
    this.headOnly = headOnly;
    this.upgrade = null;
    this.trailers = null;
    this.#pauses = 0;
    this.#dropsBody = false;
  }

  begin(framing: Framing, length: number): void {
    this.begun = true;
    this.framing = framing;
    this.length = length;
  }

  /** The head passed the filters. Where they may give the body another length, it waits for the first bytes. */
  passHead(endOfStream: boolean): void {
    if (endOfStream) {
      this.sendHead();
      this.finish();
      return;
    }
    if (this.#target.filtersTakeAnswerBody) return;
    // A filter took the length away: it means to change the body.
    const changed = this.framing === Framing.Length && this.#target.answer.indexOf(CONTENT_LENGTH) < 0;
    if (changed) this.framing = Framing.Chunked;
    this.sendHead();
  }

  passData(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    const { connection } = this.#target;
    if (!this.headSent) {
      if (this.framing !== Framing.None) {
        this.framing = endOfStream ? Framing.Length : Framing.Chunked;
        this.length = end - start;
      }
      this.sendHead();
    }
    if (end > start && !this.#dropsBody) {
      connection.sendData(bytes, start, end);
      this.#target.bytesSent += end - start;
    }
    if (endOfStream) this.finish();
  }

  /** The end of an answer that has trailers. Who did not ask for them does not get them (RFC 9110, section 6.5.1). */
  passTrailers(trailers: HeaderBlock | null): void {
    if (trailers === null || trailers.count === 0 || !this.#target.connection.takesTrailers) {
      this.passData(NO_BYTES, 0, 0, true);
      return;
    }
    this.trailers = trailers;
    if (!this.headSent) {
      if (this.framing !== Framing.None) this.framing = Framing.Chunked;
      this.sendHead();
    }
    this.finish();
  }

  sendHead(): void {
    const { answer, connection } = this.#target;
    this.headSent = true;
    const status = statusOf(answer);
    this.#target.status = status;
    // A filter may have chosen a status that has no body (RFC 9112, section 6.3).
    if (status === 204 || status === 304) {
      this.framing = Framing.None;
      this.#dropsBody = true;
    }
    connection.sendHead(answer, this.framing, this.length, this.upgrade);
  }

  /** A tunnel has no end of its own: its head is its whole answer. */
  finish(): void {
    if (this.upgrade === null) this.done = true;
    else this.#target.connection.startTunnel();
  }

  pause(reason: number): void {
    if (this.#pauses === 0) this.#target.pauseAnswer();
    this.#pauses |= reason;
  }

  unpause(reason: number): void {
    if ((this.#pauses & reason) === 0) return;
    this.#pauses &= ~reason;
    if (this.#pauses === 0) this.#target.resumeAnswer();
  }
}
