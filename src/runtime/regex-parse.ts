/** A parsed pattern. Sets are 256 flags, one for each byte. */
export type Node =
  | { readonly type: 'set'; readonly bytes: Uint8Array }
  | { readonly type: 'begin' | 'end' }
  | { readonly type: 'sequence' | 'either'; readonly of: readonly Node[] }
  /** `max` may be Infinity. */
  | { readonly type: 'repeat'; readonly of: Node; readonly min: number; readonly max: number };

/** As RE2 has it; keeps programs small. */
const MAX_REPEAT = 1000;
const MAX_DEPTH = 100;

/** What is wrong with a pattern, and where. */
export class PatternError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at offset ${offset}`);
    this.name = 'PatternError';
    this.offset = offset;
  }
}

/**
 * Parses the part of RE2's syntax that can be matched in linear time without captures: literals, `.`,
 * classes, `\d \w \s` and their opposites, groups, `|`, `* + ? {n,m}`, `^ $`, and `(?i)` in front.
 *
 * @param characters the values are UTF-8, and what is not named one by one (`.`, `[^a]`, `\D`) stands for
 *   whole characters beyond ASCII, not for their bytes
 * @throws PatternError for anything else; it names what is not offered
 */
export function parsePattern(pattern: string, characters = false): Node {
  return new PatternReader(pattern, characters).read();
}

class PatternReader {
  readonly #text: string;
  readonly #characters: boolean;
  #at = 0;
  #depth = 0;
  #ignoreCase = false;

  constructor(text: string, characters: boolean) {
    this.#text = text;
    this.#characters = characters;
  }

  read(): Node {
    if (this.#take('(?i)')) this.#ignoreCase = true;
    const node = this.#either();
    if (this.#at < this.#text.length) throw this.#fault('")" without "("');
    return node;
  }

  #either(): Node {
    const branches = [this.#sequence()];
    while (this.#take('|')) branches.push(this.#sequence());
    return branches.length === 1 ? branches[0]! : { type: 'either', of: branches };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#text.length && !this.#sees('|') && !this.#sees(')')) {
      items.push(this.#quantified(this.#atom()));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', of: items };
  }

  #atom(): Node {
    const start = this.#at;
    const codePoint = this.#text.codePointAt(this.#at)!;
    const char = String.fromCodePoint(codePoint);
    this.#at += char.length;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class(start);
      case '.':
        return this.#anyOf(flags((byte) => byte !== 0x0a));
      case '^':
        return { type: 'begin' };
      case '$':
        return { type: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw this.#fault(`nothing to repeat before "${char}"`, start);
      case '{':
        throw this.#fault('"{" begins a repetition; write "\\{" for the character', start);
    }
    if (codePoint < 0x80) return this.#literal(codePoint);
    return {
      type: 'sequence',
      of: [...Buffer.from(char, 'utf8')].map((byte) => set((other) => other === byte)),
    };
  }

  #group(): Node {
    if (this.#take('?')) {
      if (!this.#take(':') && !this.#skipName()) throw this.#groupFault();
    }
    if (++this.#depth > MAX_DEPTH) throw this.#fault(`more than ${MAX_DEPTH} groups inside each other`);
    const node = this.#either();
    this.#depth--;
    if (!this.#take(')')) throw this.#fault('")" is missing');
    return node;
  }

  /** `(?<name>` and `(?P<name>` are groups like others, since nothing is captured. */
  #skipName(): boolean {
    const name = /^P?<[A-Za-z_]\w*>/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (name === null) return false;
    this.#at += name[0].length;
    return true;
  }

  #groupFault(): PatternError {
    const text = this.#text.slice(this.#at);
    if (/^<?[=!]/.test(text))
      return this.#fault('look-ahead and look-behind are not offered: they have no linear-time match');
    if (/^[imsU-]+[):]/.test(text))
      return this.#fault('of the flags only "(?i)" at the very beginning is offered');
    return this.#fault('unknown kind of group');
  }

  #quantified(of: Node): Node {
    let min = 0;
    let max = Infinity;
    if (this.#take('*')) min = 0;
    else if (this.#take('+')) min = 1;
    else if (this.#take('?')) max = 1;
    else if (this.#sees('{')) [min, max] = this.#counts();
    else return of;
    // Whether the shortest or the longest is tried first makes no difference to whether all matches.
    this.#take('?');
    if (/^[*+?{]/.test(this.#text.slice(this.#at, this.#at + 1)))
      throw this.#fault('a repetition of a repetition');
    return { type: 'repeat', of, min, max };
  }

  #counts(): [min: number, max: number] {
    const counts = /^\{(\d{1,6})(,?)(\d{0,6})\}/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (counts === null || (counts[2] === '' && counts[3] !== '')) {
      throw this.#fault('"{" begins a repetition like {2} or {2,5}; write "\\{" for the character');
    }
    const min = Number(counts[1]);
    const max = counts[2] === '' ? min : counts[3] === '' ? Infinity : Number(counts[3]);
    if (max < min) throw this.#fault('the second count is smaller than the first');
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT))
      throw this.#fault(`more than ${MAX_REPEAT} repetitions`);
    this.#at += counts[0].length;
    return [min, max];
  }

  #escape(): Node {
    const char = this.#text[this.#at] ?? '';
    if (char === 'A' || char === 'z') {
      this.#at++;
      return { type: char === 'A' ? 'begin' : 'end' };
    }
    const escaped = this.#escaped();
    return typeof escaped === 'number' ? this.#literal(escaped) : this.#anyOf(escaped);
  }

  /** What comes after a backslash: one byte, or a set of them. */
  #escaped(): number | Uint8Array {
    const start = this.#at - 1;
    const char = this.#text[this.#at++];
    if (char === undefined) throw this.#fault('"\\" at the end', start);
    const named = SETS[char] ?? CONTROLS[char];
    if (named !== undefined) return named;
    if (char === 'x') {
      const hex = /^[0-9A-Fa-f]{2}/.exec(this.#text.slice(this.#at, this.#at + 2));
      if (hex === null) throw this.#fault('"\\x" takes two hexadecimal digits', start);
      this.#at += 2;
      return parseInt(hex[0], 16);
    }
    if (char === 'u' && this.#characters) {
      const hex = /^00[0-7][0-9A-Fa-f]/.exec(this.#text.slice(this.#at, this.#at + 4));
      if (hex === null) throw this.#fault('"\\u" takes four hexadecimal digits of an ASCII character', start);
      this.#at += 4;
      return parseInt(hex[0], 16);
    }
    if (/[1-9k]/.test(char))
      throw this.#fault('back-references are not offered: they have no linear-time match', start);
    if (/[bB]/.test(char)) throw this.#fault('word boundaries are not offered', start);
    if (/[A-Za-z0-9]/.test(char) || char.charCodeAt(0) >= 0x80)
      throw this.#fault(`unknown escape "\\${char}"`, start);
    return char.charCodeAt(0);
  }

  #class(start: number): Node {
    const bytes = new Uint8Array(256);
    const negated = this.#take('^');
    if (this.#sees(']')) throw this.#fault('an empty class; write "\\]" for the character');
    while (!this.#take(']')) {
      if (this.#at >= this.#text.length) throw this.#fault('"]" is missing', start);
      if (this.#sees('[:')) throw this.#fault('named classes are not offered');
      const from = this.#classItem();
      if (typeof from !== 'number') {
        for (let byte = 0; byte < 256; byte++) bytes[byte]! |= from[byte]!;
        continue;
      }
      let to = from;
      if (this.#sees('-') && this.#text[this.#at + 1] !== ']') {
        this.#at++;
        const end = this.#classItem();
        if (typeof end !== 'number' || end < from)
          throw this.#fault('a range must go from a smaller character to a larger one');
        to = end;
      }
      for (let byte = from; byte <= to; byte++) bytes[byte] = 1;
    }
    if (this.#ignoreCase) foldCase(bytes);
    return this.#anyOf(flags((byte) => (bytes[byte] === 1) !== negated));
  }

  /** A set that holds all bytes beyond ASCII stands for the characters that they are parts of. */
  #anyOf(bytes: Uint8Array): Node {
    if (!this.#characters || bytes[0xff] === 0) return { type: 'set', bytes };
    return { type: 'either', of: [set((byte) => byte < 0x80 && bytes[byte] === 1), ...BEYOND_ASCII] };
  }

  #classItem(): number | Uint8Array {
    const code = this.#text.charCodeAt(this.#at++);
    if (code === 0x5c) return this.#escaped();
    if (Number.isNaN(code)) throw this.#fault('"]" is missing');
    if (code >= 0x80) throw this.#fault('a class takes ASCII characters only', this.#at - 1);
    return code;
  }

  #literal(byte: number): Node {
    const bytes = new Uint8Array(256);
    bytes[byte] = 1;
    if (this.#ignoreCase) foldCase(bytes);
    return { type: 'set', bytes };
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  #fault(message: string, offset: number = this.#at): PatternError {
    return new PatternError(message, offset);
  }
}

function set(holds: (byte: number) => boolean): Node {
  return { type: 'set', bytes: flags(holds) };
}

function flags(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0));
}

function foldCase(bytes: Uint8Array): void {
  for (let upper = 0x41; upper <= 0x5a; upper++) {
    const either = bytes[upper]! | bytes[upper + 0x20]!;
    bytes[upper] = either;
    bytes[upper + 0x20] = either;
  }
}

const from = (low: number, high: number): Node => set((byte) => byte >= low && byte <= high);
const CONTINUATION = from(0x80, 0xbf);
/** Characters of two, three and four bytes. */
const BEYOND_ASCII: readonly Node[] = [
  { type: 'sequence', of: [from(0xc2, 0xdf), CONTINUATION] },
  { type: 'sequence', of: [from(0xe0, 0xef), CONTINUATION, CONTINUATION] },
  { type: 'sequence', of: [from(0xf0, 0xf4), CONTINUATION, CONTINUATION, CONTINUATION] },
];

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
const isWord = (byte: number): boolean => isDigit(byte) || isLetter(byte) || byte === 0x5f;
// As RE2: without the vertical tab.
const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d;

const SETS: Readonly<Record<string, Uint8Array>> = Object.assign(Object.create(null) as object, {
  d: flags(isDigit),
  D: flags((byte) => !isDigit(byte)),
  w: flags(isWord),
  W: flags((byte) => !isWord(byte)),
  s: flags(isSpace),
  S: flags((byte) => !isSpace(byte)),
});

const CONTROLS: Readonly<Record<string, number>> = Object.assign(Object.create(null) as object, {
  t: 0x09,
  n: 0x0a,
  v: 0x0b,
  f: 0x0c,
  r: 0x0d,
});
