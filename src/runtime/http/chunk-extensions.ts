import { HTAB, REFUSED, SP, TOKEN, VALUE } from './grammar.ts';

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What the next byte may be. Only in the states up to `Done` may the line end. */
const State = {
  Size: 0,
  Name: 1,
  Value: 2,
  AfterQuoted: 3,
  Done: 3,
  AfterSize: 4,
  BeforeName: 5,
  AfterName: 6,
  BeforeValue: 7,
  AfterValue: 8,
  Quoted: 9,
  QuotedPair: 10,
} as const;
type State = (typeof State)[keyof typeof State];

/**
 * Checks the extensions of one chunk line against their grammar, a byte at a time:
 *
 *     *( BWS ";" BWS name [ BWS "=" BWS ( token | quoted-string ) ] )      (RFC 9112, section 7.1.1)
 *
 * Nothing of them is kept. Chunk lines that differ only for one reader are how requests are smuggled, so
 * whatever the grammar does not allow is refused.
 */
export class ChunkExtensions {
  private state: State = State.Size;

  reset(): void {
    this.state = State.Size;
  }

  /** May the line end here? */
  get complete(): boolean {
    return this.state <= State.Done;
  }

  /** @returns 0, or `REFUSED`. CR and LF are never part of an extension: the caller looks for them first. */
  take(byte: number): number {
    const next = this.next(byte);
    if (next < 0) return REFUSED;
    this.state = next as State;
    return 0;
  }

  private next(byte: number): number {
    const blank = byte === SP || byte === HTAB;
    switch (this.state) {
      case State.Size:
      case State.AfterQuoted:
      case State.AfterSize:
      case State.AfterValue:
        if (byte === SEMICOLON) return State.BeforeName;
        return blank ? State.AfterSize : REFUSED;
      case State.BeforeName:
        if (blank) return State.BeforeName;
        return TOKEN[byte] !== 0 ? State.Name : REFUSED;
      case State.Name:
      case State.AfterName:
        if (byte === EQUALS) return State.BeforeValue;
        if (byte === SEMICOLON) return State.BeforeName;
        if (blank) return State.AfterName;
        return this.state === State.Name && TOKEN[byte] !== 0 ? State.Name : REFUSED;
      case State.BeforeValue:
        if (blank) return State.BeforeValue;
        if (byte === QUOTE) return State.Quoted;
        return TOKEN[byte] !== 0 ? State.Value : REFUSED;
      case State.Value:
        if (byte === SEMICOLON) return State.BeforeName;
        if (blank) return State.AfterValue;
        return TOKEN[byte] !== 0 ? State.Value : REFUSED;
      case State.Quoted:
        if (byte === QUOTE) return State.AfterQuoted;
        if (byte === BACKSLASH) return State.QuotedPair;
        return VALUE[byte] !== 0 ? State.Quoted : REFUSED;
      case State.QuotedPair:
        return VALUE[byte] !== 0 ? State.Quoted : REFUSED;
      default:
        return REFUSED;
    }
  }
}
