import { readU32 } from '../pairs.ts';
import type { Vm } from '../vm.ts';
import { shapeOf } from './call-shape.ts';
import type { RecordedBytes } from './record.ts';

type Value = number | bigint;
export type Written = (number | string | RecordedBytes)[];

/** A guest may pass any pointer; what does not lie in its memory is written as nothing. */
function slice(memory: Uint8Array, at: number, size: number): Uint8Array {
  const start = at >>> 0;
  return memory.subarray(start, Math.min(start + (size >>> 0), memory.length));
}

/** What the guest hands over with a call. */
export function inputsOf(
  vm: Vm,
  name: string,
  args: readonly Value[],
  bytes: (bytes: Uint8Array) => RecordedBytes,
): Written {
  const memory = vm.view();
  const written: Written = [];
  let at = 0;
  for (const kind of shapeOf(name)) {
    switch (kind) {
      case 'i':
        written.push(Number(args[at]));
        at += 1;
        break;
      case 'I':
        written.push(String(args[at]));
        at += 1;
        break;
      case 'b':
        written.push(bytes(slice(memory, Number(args[at]), Number(args[at + 1]))));
        at += 2;
        break;
      case 'l':
        written.push(bytes(gather(memory, Number(args[at]), Number(args[at + 1]))));
        at += 2;
        break;
      case 'r':
        written.push(Number(args[at + 1]) >>> 0);
        at += 2;
        break;
      case 'D':
        at += 2;
        break;
      default:
        at += 1;
    }
  }
  return written;
}

/** What the host handed over: to be read when the call has returned Ok. */
export function outputsOf(
  vm: Vm,
  name: string,
  args: readonly Value[],
  bytes: (bytes: Uint8Array) => RecordedBytes,
): Written {
  const memory = vm.view();
  const written: Written = [];
  let at = 0;
  for (const kind of shapeOf(name)) {
    const place = Number(args[at]) >>> 0;
    switch (kind) {
      case 'w':
        written.push(readU32(memory, place));
        at += 1;
        break;
      case 'W':
        written.push(String(BigInt(readU32(memory, place)) | (BigInt(readU32(memory, place + 4)) << 32n)));
        at += 1;
        break;
      case 'D': {
        // Where the guest wants no result, both are 0.
        const wanted = place !== 0 && args[at + 1] !== 0;
        const size = wanted ? readU32(memory, Number(args[at + 1]) >>> 0) : 0;
        written.push(bytes(slice(memory, size === 0 ? 0 : readU32(memory, place), size)));
        at += 2;
        break;
      }
      case 'r':
        written.push(bytes(slice(memory, place, Number(args[at + 1]))));
        at += 2;
        break;
      case 'b':
      case 'l':
        at += 2;
        break;
      default:
        at += 1;
    }
  }
  return written;
}

/** The pieces of `fd_write` as one. */
function gather(memory: Uint8Array, vectors: number, count: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const start = vectors >>> 0;
  for (let i = 0; i < count >>> 0 && start + 8 * i + 8 <= memory.length; i++)
    pieces.push(slice(memory, readU32(memory, start + 8 * i), readU32(memory, start + 8 * i + 4)));
  return Buffer.concat(pieces);
}
