import type { Attempt } from './attempt.ts';
import { BodyBuffer } from './http/body.ts';
import { removeRepeated } from './http/odd-name.ts';
import { CONTENT_LENGTH } from './http/fields.ts';
import type { HeaderBlock } from './http/headers.ts';
import { Framing, type HeadReader } from './http/parse.ts';
import { RemovedNames } from './http/removed-names.ts';

/** Bytes held for one direction before its producer is stopped (security requirements §5). */
export const HIGH_WATER_BYTES = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);

/** Why the downstream connection is not read. Bits. */
export const RequestPause = { Upstream: 1, Backlog: 2, Filter: 4, Bandwidth: 8 } as const;

/** Whose request it is, as far as the relay has to know. */
export interface RequestSource {
  readonly request: HeaderBlock;
  readonly attempt: Attempt;
  /** Whether a filter reads or changes the body. */
  readonly filtersTakeRequestBody: boolean;
  pauseRequest(): void;
  resumeRequest(): void;
}

/**
 * The request on its way from the filters to an attempt. Bytes that passed the filters before a
 * connection is up wait here, and those already sent stay as long as they are few, for another attempt.
 */
export class RequestRelay {
  /** As the client announced it. */
  framing: Framing = Framing.None;
  length = 0;
  /** The connection has read the whole request. */
  read = false;
  /** The whole request has passed the filters. */
  passed = false;
  /** An upstream was chosen: bytes may go out once an attempt is ready. */
  open = false;
  /** `body` holds all that passed the filters, from the first byte on. */
  kept = true;
  /** How many bytes are kept once they are sent. */
  keepBytes = 0;
  /** Protocol to ask the upstream for with Upgrade. */
  upgrade: Buffer | null = null;
  /** The client takes trailers, and the upstream is told so. */
  acceptTrailers = false;
  #trailers: HeaderBlock | null = null;
  #removed: RemovedNames | null = null;
  readonly #source: RequestSource;
  readonly #body = new BodyBuffer();
  #headWritten = false;
  #pauses = 0;

  constructor(source: RequestSource) {
    this.#source = source;
  }

  begin(request: HeaderBlock, reader: HeadReader): void {
    this.framing = reader.framing;
    this.length = reader.contentLength;
    this.read = this.passed = this.open = this.#headWritten = false;
    this.kept = true;
    this.keepBytes = 0;
    this.#pauses = 0;
    this.#body.clear();
    this.#trailers = null;
    if (reader.framing === Framing.Chunked) request.removed = (this.#removed ??= new RemovedNames()).clear();
    this.acceptTrailers = reader.teTrailers && reader.minorVersion === 1;
    this.upgrade = reader.upgrade
      ? Buffer.from(request.bytes.subarray(reader.upgradeStart, reader.upgradeEnd))
      : null;
  }

  /** Another attempt begins: the head has to be written again. */
  restart(): void {
    this.#headWritten = false;
  }

  /** Bytes that passed the filters. */
  pass(bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    if (endOfStream) this.passed = true;
    const { attempt } = this.#source;
    if (this.#headWritten && attempt.ready) {
      this.#keep(bytes, start, end);
      attempt.writeData(bytes, start, end);
      if (endOfStream) attempt.writeEnd(this.#trailers);
      return;
    }
    this.#body.append(bytes, start, end);
    if (this.open && attempt.ready) this.#write();
    else if (this.#body.length > HIGH_WATER_BYTES && !endOfStream) this.pause(RequestPause.Backlog);
  }

  /** The end of a request that has trailers. They go out where its body is chunked, so that they must not be lost on the way here. */
  passTrailers(trailers: HeaderBlock | null): void {
    if (trailers !== null) {
      const { request } = this.#source;
      // Filters and policies have decided about the fields of the head, have set them or taken them out.
      removeRepeated(trailers, request);
      request.removed?.removeFrom(trailers);
    }
    this.#trailers = trailers !== null && trailers.count > 0 ? trailers : null;
    this.pass(NO_BYTES, 0, 0, true);
  }

  /** The attempt's connection is up. A head whose length filters may change waits for the first bytes. */
  attemptReady(): void {
    const bodyToCome = !this.passed && this.#body.length === 0;
    if (!(bodyToCome && this.#source.filtersTakeRequestBody)) this.#write();
  }

  pause(reason: number): void {
    if (this.#pauses === 0) this.#source.pauseRequest();
    this.#pauses |= reason;
  }

  unpause(reason: number): void {
    if ((this.#pauses & reason) === 0) return;
    this.#pauses &= ~reason;
    if (this.#pauses === 0) this.#source.resumeRequest();
  }

  #write(): void {
    const { attempt, request, filtersTakeRequestBody } = this.#source;
    const body = this.#body;
    let { framing, length } = this;
    if (framing !== Framing.None && (filtersTakeRequestBody || request.indexOf(CONTENT_LENGTH) < 0)) {
      // A filter may have given the body another length; if all of it is here, that is known.
      framing = this.passed && this.#trailers === null ? Framing.Length : Framing.Chunked;
      length = body.length;
    }
    attempt.writeHead(framing, length, this.upgrade, this.acceptTrailers);
    this.#headWritten = true;
    attempt.writeData(body.bytes, 0, body.length);
    if (!this.kept || body.length > this.keepBytes) {
      this.kept = this.kept && body.length === 0;
      body.clear();
    }
    if (this.passed) attempt.writeEnd(this.#trailers);
    this.unpause(RequestPause.Backlog);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (!this.kept || end === start) return;
    if (this.#body.length + end - start <= this.keepBytes) this.#body.append(bytes, start, end);
    else {
      this.kept = false;
      this.#body.clear();
    }
  }
}
