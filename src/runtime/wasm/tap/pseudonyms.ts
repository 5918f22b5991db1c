import { createHash, createHmac } from 'node:crypto';

/**
 * Parts of a secret that are shorter, or of letters or digits alone and no longer than any word, are replaced in its
 * own field alone.
 */
const SHORT = 5;
const WORD = 8;
const MIXED = /[A-Za-z]\d|\d[A-Za-z]/;
/** Whole secrets that are looked for inside other text, newest last. */
const RECENT = 64;
const MOST = 50_000;
const RUN = /[A-Za-z0-9]+/g;
const HEX = /^[0-9a-f]{16,}$/;

/**
 * Other values in the place of secrets: the same length, the same kind of character at each place, and the same
 * pseudonym for the same secret wherever it appears, so that a filter that cuts a token out of a field and hands
 * it on does in a replay what it did before.
 *
 * A run of letters and digits is replaced as a whole; what stands between runs stays.
 */
export class Pseudonyms {
  readonly #key: Buffer;
  readonly #runs = new Map<string, string>();
  readonly #exact = new Map<string, string>();
  #recent: (readonly [secret: string, pseudonym: string])[] = [];
  readonly #learned: (secret: string, pseudonym: string) => void;

  /**
   * @param key workers that write one recording have the same one
   * @param learned is told of each secret that is new
   */
  constructor(key: Buffer, learned: (secret: string, pseudonym: string) => void = () => undefined) {
    this.#key = key;
    this.#learned = learned;
  }

  /** The pseudonym of a secret, which from here on takes its place elsewhere, too. latin1. */
  of(secret: string): string {
    const known = this.#exact.get(secret);
    if (known !== undefined) return known;
    if (this.#exact.size >= MOST) {
      this.#exact.clear();
      this.#runs.clear();
    }
    const pseudonym = secret.replace(RUN, (run) => {
      const other = this.#runs.get(run) ?? this.#scramble(run);
      if (isTelling(run)) this.#runs.set(run, other);
      return other;
    });
    this.#learn(secret, pseudonym);
    return pseudonym;
  }

  /** The value of a field that carries credentials: a scheme and names of cookies stay. */
  ofField(name: string, value: string): string {
    if (name === 'cookie' || name === 'set-cookie') {
      return value.replace(/(^|;\s*)([^=;]+)=([^;]*)/g, (all, before: string, key: string, secret: string) =>
        // Of Set-Cookie, the first is the cookie; what follows are attributes.
        name === 'set-cookie' && before !== '' ? all : `${before}${key}=${this.of(secret)}`,
      );
    }
    const [, scheme, credentials] = /^([A-Za-z][\w-]* +)(\S.*)$/.exec(value) ?? [];
    if (scheme === undefined) return this.of(value);
    if (!/^basic /i.test(scheme)) return scheme + this.of(credentials!);
    return scheme + this.#basic(credentials!);
  }

  /** User and password are what a filter makes of it. */
  #basic(credentials: string): string {
    const decoded = Buffer.from(credentials, 'base64').toString('latin1');
    const colon = decoded.indexOf(':');
    if (colon < 0 || Buffer.from(decoded, 'latin1').toString('base64') !== credentials)
      return this.of(credentials);
    const other = `${this.of(decoded.slice(0, colon))}:${this.of(decoded.slice(colon + 1))}`;
    const pseudonym = Buffer.from(other, 'latin1').toString('base64');
    this.#learn(credentials, pseudonym);
    return pseudonym;
  }

  /** Text without the secrets that are known by now. latin1. */
  in(text: string): string {
    if (this.#exact.size === 0) return text;
    const exact = this.#exact.get(text);
    if (exact !== undefined) return exact;
    let clean = text;
    for (const [secret, pseudonym] of this.#recent)
      if (clean.includes(secret)) clean = clean.replaceAll(secret, pseudonym);
    return clean.replace(RUN, (run) => this.#runs.get(run) ?? run);
  }

  #learn(secret: string, pseudonym: string): void {
    if (this.#exact.has(secret) || secret === pseudonym) return;
    this.#exact.set(secret, pseudonym);
    if (isTelling(secret)) {
      this.#recent.push([secret, pseudonym]);
      if (this.#recent.length > RECENT) this.#recent = this.#recent.slice(-RECENT / 2);
    }
    this.#learned(secret, pseudonym);
  }

  #scramble(run: string): string {
    const stream: Buffer[] = [];
    for (let i = 0; 32 * i < run.length; i++)
      stream.push(createHmac('sha256', this.#key).update(`${i} ${run}`).digest());
    const random = Buffer.concat(stream);
    const hex = HEX.test(run);
    return run.replace(/./g, (character, at: number) => {
      const n = random[at]!;
      if (hex) return '0123456789abcdef'[n & 15]!;
      if (character <= '9') return String(n % 10);
      const base = character < 'a' ? 65 : 97;
      return String.fromCharCode(base + (n % 26));
    });
  }
}

/** Whether it can only be what it is, wherever it stands. */
function isTelling(text: string): boolean {
  return text.length >= WORD || (text.length >= SHORT && MIXED.test(text));
}

export function sha256Hex(latin1: string): string {
  return createHash('sha256').update(latin1, 'latin1').digest('hex');
}
