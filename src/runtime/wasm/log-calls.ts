import { randomBytes } from 'node:crypto';
import { LogLevel, Status } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { LOG_LINE_BYTES } from './limits.ts';
import { readU32, writeU32 } from './pairs.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';

/** Logs, the clock, and what runtimes of compilers import beside the ABI. */
export function logCalls(vm: Vm): HostCalls {
  return {
    proxy_log(level: number, message: number, size: number): Status {
      vm.count(HostGroup.Log);
      if (level >>> 0 > LogLevel.Critical) return Status.BadArgument;
      if (!holds(vm.view(), message, size)) return Status.InvalidMemoryAccess;
      if (level >= LogLevel.Error || vm.plugin.logs(level))
        logText(vm, level, readText(vm.view(), message >>> 0, size >>> 0));
      return Status.Ok;
    },

    proxy_get_log_level(out: number): Status {
      vm.count(HostGroup.Log);
      const memory = vm.view();
      if (!holds(memory, out, 4)) return Status.InvalidMemoryAccess;
      writeU32(memory, out >>> 0, vm.plugin.logLevel);
      return Status.Ok;
    },

    proxy_get_current_time_nanoseconds(out: number): Status {
      vm.count(HostGroup.Log);
      const memory = vm.view();
      if (!holds(memory, out, 8)) return Status.InvalidMemoryAccess;
      writeNanoseconds(memory, out >>> 0, vm.plugin.host.now());
      return Status.Ok;
    },

    emscripten_notify_memory_growth(_memory: number): void {},

    pthread_equal: (a: number, b: number): number => (a === b ? 1 : 0),

    abort(message: number, file: number, line: number, column: number): void {
      const memory = vm.view();
      const place = `${assemblyScriptString(memory, file >>> 0)}:${line >>> 0}:${column >>> 0}`;
      const text = `abort: ${assemblyScriptString(memory, message >>> 0)} at ${place}`;
      logText(vm, LogLevel.Critical, text);
      vm.fail(text);
    },

    seed: (): number => randomBytes(6).readUIntBE(0, 6),
  };
}

/** Whether `size` bytes from `pointer` lie in guest memory; both as the guest passed them. */
export function holds(memory: Uint8Array, pointer: number, size: number): boolean {
  return (pointer >>> 0) + (size >>> 0) <= memory.length;
}

/** The text of a log line, cut to its limit. */
export function readText(memory: Uint8Array, start: number, size: number): string {
  const end = start + Math.min(size, LOG_LINE_BYTES);
  return Buffer.from(memory.buffer, memory.byteOffset + start, end - start).toString('utf8');
}

export function logText(vm: Vm, level: number, text: string): void {
  if (level >= LogLevel.Error) vm.lastWords = text;
  if (vm.plugin.logs(level)) vm.plugin.log(level, text);
}

/** Milliseconds as u64 nanoseconds: finer clocks tell guests more than they need to know. */
export function writeNanoseconds(memory: Uint8Array, at: number, milliseconds: number): void {
  const nanoseconds = BigInt(Math.floor(milliseconds)) * 1_000_000n;
  writeU32(memory, at, Number(nanoseconds & 0xffff_ffffn));
  writeU32(memory, at + 4, Number(nanoseconds >> 32n));
}

/** UTF-16, with its size in bytes before it; whatever is out of range is read as nothing. */
function assemblyScriptString(memory: Uint8Array, pointer: number): string {
  if (pointer < 4 || pointer > memory.length) return '';
  const size = Math.min(readU32(memory, pointer - 4), 2 * LOG_LINE_BYTES) & ~1;
  if (pointer + size > memory.length) return '';
  return Buffer.from(memory.buffer, memory.byteOffset + pointer, size).toString('utf16le');
}
