/**
 * What each byte may be, as tables. Every reader and every check in this folder uses these and
 * nothing else, so there is one answer to "may this byte stand here".
 */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;

/** Results of the resumable readers that are not offsets. */
export const NEED_MORE = -1;
export const REFUSED = -2;

/**
 * Bytes of a token (RFC 9110, section 5.6.2): 1 for letters, digits and `-`, 2 for the other
 * token bytes, 0 for everything else. The 2 lets a scan notice names that need a second look
 * (`content_length`) by or-ing the classes it has seen.
 */
export const TOKEN = new Uint8Array(256);
export const TOKEN_PLAIN = 1;
export const TOKEN_ODD = 2;

/** 1 for bytes of a field value: HTAB, SP, visible ASCII and everything from 0x80 (RFC 9110, section 5.5). */
export const VALUE = new Uint8Array(256);

/** 1 for bytes of a request target: nothing up to 0x20, no DEL, and no `#`, since a fragment is never sent. */
export const TARGET = new Uint8Array(256);

/** Each byte, ASCII letters in lower case. */
export const LOWER = new Uint8Array(256);

/** The value of a hex digit, 255 for other bytes. */
export const HEX = new Uint8Array(256).fill(255);

/** Bytes of a registered name or IPv4 address, in lower case; 0 for bytes that no host name has. */
export const HOST_NAME = new Uint8Array(256);

for (let c = 0; c < 256; c++) {
  const letterOrDigit = /[0-9A-Za-z]/.test(String.fromCharCode(c));
  LOWER[c] = c >= 0x41 && c <= 0x5a ? c | 0x20 : c;
  if (letterOrDigit || c === 0x2d) TOKEN[c] = TOKEN_PLAIN;
  else if ("!#$%&'*+.^_`|~".includes(String.fromCharCode(c))) TOKEN[c] = TOKEN_ODD;
  if (c === HTAB || (c >= SP && c !== 0x7f)) VALUE[c] = 1;
  if (c > SP && c !== 0x7f && c !== 0x23) TARGET[c] = 1;
  if (letterOrDigit || '-._'.includes(String.fromCharCode(c))) HOST_NAME[c] = LOWER[c]!;
}
for (let v = 0; v < 16; v++) {
  HEX['0123456789abcdef'.charCodeAt(v)] = v;
  HEX['0123456789ABCDEF'.charCodeAt(v)] = v;
}

/** May these bytes be the value of `:path`, `:method`, `:scheme` or `:authority`? No space, no control, no `#`. */
export function isTarget(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (TARGET[bytes[p]!] === 0) return false;
  return true;
}

/** Is the byte optional white space? */
export function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}
