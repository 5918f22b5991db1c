import type { Fields } from '../explain/trace.ts';

/** The answer of one exchange, read from the bytes that a client would have got. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Fields;
  readonly body: Buffer;
}

const END_OF_HEAD = '\r\n\r\n';

/**
 * Reads what weir itself has written, so it need not be strict. Interim answers are left out.
 *
 * @returns null where no whole head is there
 */
export function readAnswer(bytes: Buffer): HttpAnswer | null {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end < 0) return null;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(first.split(' ')[1]);
  const rest = bytes.subarray(end + END_OF_HEAD.length);
  if (status < 200 && status !== 101) return readAnswer(rest);
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const chunked = headers.some(([name, value]) => name === 'transfer-encoding' && /\bchunked$/i.test(value));
  return { status, headers, body: chunked ? withoutChunks(rest) : Buffer.from(rest) };
}

function withoutChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) break;
    const size = parseInt(bytes.toString('latin1', at, line), 16);
    if (!(size > 0)) break;
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(chunks);
}
