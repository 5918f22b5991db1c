import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import type { Body, Fields } from './testing.d.ts';

export type Field = readonly [name: string, value: string];

/** In order, names in lower case. */
export function pairsOf(fields: Fields = []): Field[] {
  const pairs: (readonly [string, string | readonly string[]])[] = Array.isArray(fields)
    ? (fields as Field[])
    : Object.entries(fields as Record<string, string>);
  return pairs.flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((each) => [name.toLowerCase(), each] as const),
  );
}

/** The same with values as UTF-8 spelled byte by byte: what header blocks and Node's messages take. */
export function listOf(fields: Fields = []): Field[] {
  return pairsOf(fields).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
}

/** As clients and servers do: a body that is whole tells its length. */
export function withLength(
  fields: Fields | undefined,
  body: Body | undefined,
  hasTrailers: boolean,
): Field[] {
  const pairs = pairsOf(fields);
  const whole = typeof body === 'string' || body instanceof Uint8Array;
  if (!whole || hasTrailers || body.length === 0 || pairs.some(([name]) => name === 'content-length'))
    return pairs;
  return [...pairs, ['content-length', String(bytesOf(body).length)]];
}

/** Pseudo-headers among the fields take the place of those of the block. */
export function blockOf(kind: MessageKind, fields: readonly Field[]): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(kind);
  layFields(block, fields);
  return block;
}

export function layFields(block: HeaderBlock, fields: readonly Field[]): void {
  for (const [name, value] of fields) {
    const index = name.startsWith(':') ? block.indexOf(Buffer.from(name)) : -1;
    if (index >= 0) block.setValueText(index, value);
    else block.appendText(name, value);
  }
}

/** Names in lower case, values as text. */
export function entriesOf(block: HeaderBlock | null): Field[] {
  return (block?.entries() ?? []).map(([name, value]) => [name.toLowerCase(), fromWire(value)]);
}

/** Values of a name that is there twice are joined. */
export function recordOf(fields: readonly Field[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (const [name, value] of fields)
    record[name] = Object.hasOwn(record, name) ? `${record[name]}, ${value}` : value;
  return record;
}

/** The fields of a head as it goes out on a connection, without its first line. */
export function fieldsOfHead(head: Buffer): Field[] {
  return head
    .toString('latin1')
    .split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), fromWire(line.slice(colon + 1).trim())];
    });
}

export function bytesOf(part: string | Uint8Array): Buffer {
  return typeof part === 'string' ? Buffer.from(part) : Buffer.from(part);
}

/** The pieces of a body; none where it is empty. */
export function piecesOf(body: Body | undefined): Buffer[] {
  if (body === undefined) return [];
  const parts = typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
  return parts.map(bytesOf).filter(({ length }) => length > 0);
}

/** What became of fields: those that are gone, then those that are new, each in its order. */
export function changesOf(before: readonly Field[], after: readonly Field[]): string[] {
  const text = ([name, value]: Field): string => `${name}: ${value}`;
  const left = after.map(text);
  const gone = before.map(text).filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [...gone.map((line) => `- ${line}`), ...left.map((line) => `+ ${line}`)];
}

/** Bytes that are no UTF-8 stay what they are, one character each. */
function fromWire(text: string): string {
  const decoded = Buffer.from(text, 'latin1').toString();
  return decoded.includes('\ufffd') ? text : decoded;
}
