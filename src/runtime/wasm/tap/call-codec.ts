import { BufferType } from '../abi.ts';
import { readU32 } from '../pairs.ts';
import type { Vm } from '../vm.ts';
import { shapeOf } from './call-shape.ts';
import type { RecordedBytes } from './record.ts';
import type { Writer } from './writer.ts';

type Value = number | bigint;
export type Written = (number | string | RecordedBytes)[];

/** Foreign functions that are handed bodies, and those that give such. */
const TAKES_BODY = /(?:^|\.)(?:un)?compress$|(?:^|[._])(?:sign|verify_signature)$/;
const GIVES_BODY = /(?:^|\.)(?:un)?compress$/;

/** A guest may pass any pointer; what does not lie in its memory is written as nothing. */
function slice(memory: Uint8Array, at: number, size: number): Uint8Array {
  const start = at >>> 0;
  return memory.subarray(start, Math.min(start + (size >>> 0), memory.length));
}

/** What the guest hands over with a call. */
export function inputsOf(vm: Vm, name: string, args: readonly Value[], writer: Writer): Written {
  const memory = vm.view();
  const written: Written = [];
  const bytesAt = (at: number): Uint8Array => slice(memory, Number(args[at]), Number(args[at + 1]));
  let at = 0;
  for (const kind of shapeOf(name)) {
    switch (kind) {
      case 'i':
        written.push(Number(args[at]));
        break;
      case 'I':
        written.push(String(args[at]));
        break;
      case 'b':
        written.push(writer.bytes(bytesAt(at)));
        break;
      case 'B':
        written.push(writer.body(bytesAt(at)));
        break;
      case 'p':
        written.push(writer.pairs(bytesAt(at)));
        break;
      case 'v':
        written.push(writer.value(bytesAt(at - 2), bytesAt(at)));
        break;
      case 'f': {
        const isBody = TAKES_BODY.test(Buffer.from(bytesAt(at - 2)).toString());
        written.push(isBody ? writer.body(bytesAt(at)) : writer.bytes(bytesAt(at)));
        break;
      }
      case 'l':
        written.push(writer.bytes(gather(memory, Number(args[at]), Number(args[at + 1]))));
        break;
      case 'r':
        written.push(Number(args[at + 1]) >>> 0);
        break;
      default:
    }
    at += argumentsOf(kind);
  }
  return written;
}

/** What the host handed over: to be read when the call has returned Ok. */
export function outputsOf(vm: Vm, name: string, args: readonly Value[], writer: Writer): Written {
  const memory = vm.view();
  const written: Written = [];
  const bytesAt = (at: number): Uint8Array => slice(memory, Number(args[at]), Number(args[at + 1]));
  let at = 0;
  for (const kind of shapeOf(name)) {
    const place = Number(args[at]) >>> 0;
    switch (kind) {
      case 'w':
        written.push(readU32(memory, place));
        break;
      case 'W':
        written.push(String(BigInt(readU32(memory, place)) | (BigInt(readU32(memory, place + 4)) << 32n)));
        break;
      case 'D':
        written.push(writer.bytes(given(memory, args, at)));
        break;
      case 'E': {
        const isBody = Number(args[0]) <= BufferType.GrpcReceiveBuffer;
        const bytes = given(memory, args, at);
        written.push(isBody ? writer.body(bytes) : writer.bytes(bytes));
        break;
      }
      case 'P':
        written.push(writer.pairs(given(memory, args, at)));
        break;
      case 'V':
        written.push(writer.value(bytesAt(at - 2), given(memory, args, at)));
        break;
      case 'Q':
        written.push(writer.property(bytesAt(at - 2), given(memory, args, at)));
        break;
      case 'F': {
        const bytes = given(memory, args, at);
        const isBody = GIVES_BODY.test(Buffer.from(bytesAt(0)).toString());
        written.push(isBody ? writer.body(bytes) : writer.bytes(bytes));
        break;
      }
      case 'r':
        written.push(writer.bytes(bytesAt(at)));
        break;
      default:
    }
    at += argumentsOf(kind);
  }
  return written;
}

/** How many arguments a letter of a shape stands for. */
export function argumentsOf(kind: string): number {
  return 'iIwW-'.includes(kind) ? 1 : 2;
}

/** Whether a letter is of bytes that the host hands over at a place that it tells. */
export function isGiven(kind: string): boolean {
  return 'DEPVQF'.includes(kind);
}

function given(memory: Uint8Array, args: readonly Value[], at: number): Uint8Array {
  const place = Number(args[at]) >>> 0;
  // Where the guest wants no result, both are 0.
  const wanted = place !== 0 && args[at + 1] !== 0;
  const size = wanted ? readU32(memory, Number(args[at + 1]) >>> 0) : 0;
  return slice(memory, size === 0 ? 0 : readU32(memory, place), size);
}

/** The pieces of `fd_write` as one. */
function gather(memory: Uint8Array, vectors: number, count: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const start = vectors >>> 0;
  for (let i = 0; i < count >>> 0 && start + 8 * i + 8 <= memory.length; i++)
    pieces.push(slice(memory, readU32(memory, start + 8 * i), readU32(memory, start + 8 * i + 4)));
  return Buffer.concat(pieces);
}
