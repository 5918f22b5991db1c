import type { HeadReader } from './http/parse.ts';
import { Replies, type Reply } from './reply.ts';
import type { RuleLimitSpec } from './snapshot.ts';

/** What the rule of one stream says of the sizes of its messages. Kept by the stream for one request after the other. */
export class RuleLimits {
  /** Bytes; Infinity: no limit. */
  requestBody = Infinity;
  responseBody = Infinity;
  #target = 0;
  #head = 0;
  #fields = 0;
  #announced = -1;

  /** Takes the measure of a request as it came; routing may be decided by what filters make of it. */
  begin(reader: HeadReader): void {
    this.requestBody = this.responseBody = Infinity;
    this.#target = reader.targetBytes;
    this.#head = reader.headBytes;
    this.#fields = reader.fields;
    this.#announced = reader.contentLength;
  }

  /**
   * Puts the limits of a rule in force.
   *
   * @param received bytes of the body that have come
   * @returns why the request is refused; null: it is within them so far
   */
  apply(spec: RuleLimitSpec | undefined, received: number): Reply | null {
    this.requestBody = spec?.requestBody ?? Infinity;
    this.responseBody = spec?.responseBody ?? Infinity;
    if (spec === undefined) return null;
    if (spec.target !== undefined && this.#target > spec.target) return Replies.targetTooLong;
    if (spec.head !== undefined && this.#head > spec.head) return Replies.headTooLarge;
    if (spec.fields !== undefined && this.#fields > spec.fields) return Replies.tooManyFields;
    // What is announced too large need not come, nor be asked for with 100 Continue.
    const size = this.#announced > received ? this.#announced : received;
    return size > this.requestBody ? Replies.bodyTooLarge : null;
  }
}
