import { FieldId, equalsIgnoringCase, fieldId } from './fields.ts';
import { TOKEN, isBlank } from './grammar.ts';
import type { HeaderBlock } from './headers.ts';

const CLOSE = Buffer.from('close', 'latin1');
const KEEP_ALIVE = Buffer.from('keep-alive', 'latin1');
const COMMA = 0x2c;

/** More than this many nominated fields make no sense, and each costs a search. */
const MOST_NOMINATED = 32;

/** The options of a message's Connection fields (RFC 9110, section 7.6.1). */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;

  /** Start and end, in the message's arena, of each field name that is to be left out. */
  private readonly nominated = new Int32Array(2 * MOST_NOMINATED);
  private nominations = 0;

  reset(): void {
    this.close = this.keepAlive = this.upgrade = false;
    this.nominations = 0;
  }

  /**
   * Reads one Connection field.
   *
   * @param delta from offsets in `bytes` to offsets in the arena
   * @returns false where the value is no list of tokens or nominates too many fields
   */
  read(bytes: Buffer, start: number, end: number, delta: number): boolean {
    // What nearly every Connection field says.
    if (equalsIgnoringCase(bytes, start, end, KEEP_ALIVE)) {
      this.keepAlive = true;
      return true;
    }
    let p = start;
    while (p < end) {
      while (p < end && (bytes[p] === COMMA || isBlank(bytes[p]))) p++;
      const option = p;
      while (p < end && TOKEN[bytes[p]!] !== 0) p++;
      if (p > option && !this.readOption(bytes, option, p, delta)) return false;
      while (p < end && isBlank(bytes[p])) p++;
      if (p < end && bytes[p] !== COMMA) return false;
    }
    return true;
  }

  private readOption(bytes: Buffer, start: number, end: number, delta: number): boolean {
    if (equalsIgnoringCase(bytes, start, end, KEEP_ALIVE)) this.keepAlive = true;
    else if (equalsIgnoringCase(bytes, start, end, CLOSE)) this.close = true;
    else {
      const id = fieldId(bytes, start, end);
      if (id === FieldId.Upgrade) this.upgrade = true;
      // The fields known by name are left out anyway, or are those that must not be nominated away: Host and
      // the framing fields, credentials, and what says who the client is.
      if (id !== FieldId.Other) return true;
      if (this.nominations === MOST_NOMINATED) return false;
      this.nominated[2 * this.nominations] = start + delta;
      this.nominated[2 * this.nominations + 1] = end + delta;
      this.nominations++;
    }
    return true;
  }

  /** Takes the nominated fields out of the block, whose arena holds the Connection fields. */
  removeNominated(block: HeaderBlock): void {
    for (let i = 0; i < this.nominations; i++) {
      block.remove(block.bytes, this.nominated[2 * i]!, this.nominated[2 * i + 1]!);
    }
  }
}
