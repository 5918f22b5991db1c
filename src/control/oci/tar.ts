import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const BLOCK = 512;
const inflate = promisify(gunzip);

/** Entries are read, never written to a disk, so what their names say of folders has no effect. */
export interface TarFile {
  /** Without folders. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** What cannot be unpacked, or would become too large. */
export class ArchiveError extends Error {}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** @throws ArchiveError also where it would become larger than `limit` bytes */
export async function unzip(bytes: Uint8Array, limit: number): Promise<Buffer> {
  try {
    return await inflate(bytes, { maxOutputLength: limit });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new ArchiveError(`it unpacks to more than ${limit / (1024 * 1024)} MiB`);
    throw new ArchiveError(`it cannot be unpacked (${(error as Error).message})`);
  }
}

export function isTar(bytes: Buffer): boolean {
  return bytes.length >= BLOCK && bytes.toString('latin1', 257, 262) === 'ustar';
}

/** Regular files of a tar archive, by POSIX.1-1988 and later, whose name ends with `.wasm`. @throws ArchiveError */
export function wasmFilesOfTar(bytes: Buffer): TarFile[] {
  const files: TarFile[] = [];
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (checksumOf(header) !== number(header, 148, 8)) throw new ArchiveError('its tar header is damaged');
    const size = number(header, 124, 12);
    const start = at + BLOCK;
    if (start + size > bytes.length) throw new ArchiveError('it ends within a file');
    const type = String.fromCharCode(header[156]!);
    const name = text(header, 0, 100).split('/').at(-1)!;
    if ((type === '0' || type === '\0') && name.endsWith('.wasm'))
      files.push({ name, bytes: bytes.subarray(start, start + size) });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.toString('utf8', at, at + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

/** Octal digits; sizes beyond them (base 256) are far above what is read here. */
function number(header: Buffer, at: number, length: number): number {
  const digits = text(header, at, length).trim();
  if (!/^[0-7]+$/.test(digits)) throw new ArchiveError('a number in its tar header is damaged');
  return Number.parseInt(digits, 8);
}

/** The sum of the bytes, with blanks where it stands itself. */
function checksumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (const [i, byte] of header.entries()) if (i < 148 || i >= 156) sum += byte;
  return sum;
}

/** A tar archive (POSIX.1-1988) with one regular file, without owner or time: the same bytes each time. */
export function tarWith(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(`${'0'.repeat(11)}\0`, 136);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, 148);
  const padding = (BLOCK - (content.length % BLOCK)) % BLOCK;
  return Buffer.concat([header, content, Buffer.alloc(padding + 2 * BLOCK)]);
}
