import { randomFillSync } from 'node:crypto';
import { LogLevel } from './abi.ts';
import type { HostCalls } from './host-calls.ts';
import { LOG_LINE_BYTES, RANDOM_BYTES, WRITE_PIECES } from './limits.ts';
import { holds, logText, readText, writeNanoseconds } from './log-calls.ts';
import { readU32, writeU32 } from './pairs.ts';
import type { Vm } from './vm.ts';

const Errno = { Success: 0, BadF: 8, Fault: 21, Inval: 28, NoEnt: 44, NoSys: 52, NotSup: 58 } as const;
const FD_WRITE = 64;
const FDSTAT_BYTES = 24;
/** Pieces of text that the price of a call covers, and what each further one costs, in copied bytes. */
const FREE_PIECES = 4;
const PIECE_BYTES = 1024;

/** WASI preview 1 as far as compilers' runtimes need it: no file, no argument, and the variables that the Module lists. */
export function wasiCalls(vm: Vm): HostCalls {
  const write = (fd: number, iovs: number, count: number, outWritten: number): number => {
    const memory = vm.view();
    if (fd !== 1 && fd !== 2) return Errno.BadF;
    // In plain numbers: the product does not wrap.
    if ((iovs >>> 0) + 8 * (count >>> 0) > memory.length || !holds(memory, outWritten, 4)) return Errno.Fault;
    if (count >>> 0 > WRITE_PIECES) return Errno.Inval;
    if (count > FREE_PIECES) vm.meter.chargeBytes(PIECE_BYTES * count);
    let written = 0;
    let text = '';
    for (let i = 0; i < count; i++) {
      const start = readU32(memory, (iovs >>> 0) + 8 * i);
      const size = readU32(memory, (iovs >>> 0) + 8 * i + 4);
      if (!holds(memory, start, size)) return Errno.Fault;
      written += size;
      if (text.length < LOG_LINE_BYTES) text += readText(memory, start, size);
    }
    if (text !== '') logText(vm, fd === 1 ? LogLevel.Info : LogLevel.Error, text.replace(/\n$/, ''));
    writeU32(memory, outWritten >>> 0, written);
    return Errno.Success;
  };

  const zeros = (outCount: number, outSize: number): number => {
    const memory = vm.view();
    if (!holds(memory, outCount, 4) || !holds(memory, outSize, 4)) return Errno.Fault;
    writeU32(memory, outCount >>> 0, 0);
    writeU32(memory, outSize >>> 0, 0);
    return Errno.Success;
  };

  const time = (clock: number, out: number, milliseconds: [real: number, monotonic: number]): number => {
    const memory = vm.view();
    if (clock !== 0 && clock !== 1) return Errno.NotSup;
    if (!holds(memory, out, 8)) return Errno.Fault;
    writeNanoseconds(memory, out >>> 0, milliseconds[clock]!);
    return Errno.Success;
  };

  return {
    fd_write: write,
    fd_pwrite: (fd: number, iovs: number, count: number, _offset: bigint, outWritten: number): number =>
      write(fd, iovs, count, outWritten),
    fd_read: (): number => Errno.NoSys,
    fd_pread: (): number => Errno.NoSys,
    fd_seek: (): number => Errno.Success,
    fd_close: (): number => Errno.Success,
    fd_fdstat_get(fd: number, out: number): number {
      const memory = vm.view();
      if (fd !== 1 && fd !== 2) return Errno.BadF;
      if (!holds(memory, out, FDSTAT_BYTES)) return Errno.Fault;
      const at = out >>> 0;
      memory.fill(0, at, at + FDSTAT_BYTES);
      memory[at + 8] = FD_WRITE;
      return Errno.Success;
    },
    fd_fdstat_set_flags: (): number => Errno.NoSys,
    fd_prestat_get: (): number => Errno.BadF,
    fd_prestat_dir_name: (): number => Errno.NoSys,
    fd_filestat_get: (): number => Errno.BadF,
    path_open: (): number => Errno.NoEnt,
    clock_time_get: (clock: number, _precision: bigint, out: number): number =>
      time(clock, out, [vm.plugin.host.now(), performance.now() + 1]),
    clock_res_get: (clock: number, out: number): number => time(clock, out, [1, 1]),
    random_get(buffer: number, size: number): number {
      const memory = vm.view();
      if (!holds(memory, buffer, size)) return Errno.Fault;
      if (size >>> 0 > RANDOM_BYTES) return Errno.Inval;
      randomFillSync(memory, buffer >>> 0, size >>> 0);
      return Errno.Success;
    },
    environ_sizes_get(outCount: number, outSize: number): number {
      const memory = vm.view();
      if (!holds(memory, outCount, 4) || !holds(memory, outSize, 4)) return Errno.Fault;
      const { environment } = vm.group;
      writeU32(memory, outCount >>> 0, environment.length);
      writeU32(memory, outSize >>> 0, sizeOf(environment));
      return Errno.Success;
    },
    environ_get(outPointers: number, outText: number): number {
      const memory = vm.view();
      const { environment } = vm.group;
      if (!holds(memory, outPointers, 4 * environment.length) || !holds(memory, outText, sizeOf(environment)))
        return Errno.Fault;
      let at = outText >>> 0;
      for (const [i, entry] of environment.entries()) {
        writeU32(memory, (outPointers >>> 0) + 4 * i, at);
        memory.set(entry, at);
        at += entry.length;
      }
      return Errno.Success;
    },
    args_sizes_get: zeros,
    args_get: (): number => Errno.Success,
    poll_oneoff(_in: number, _out: number, _count: number, outEvents: number): number {
      const memory = vm.view();
      if (!holds(memory, outEvents, 4)) return Errno.Fault;
      writeU32(memory, outEvents >>> 0, 0);
      return Errno.Success;
    },
    sched_yield: (): number => Errno.Success,
    proc_exit(code: number): void {
      vm.fail(`it exited with code ${code >>> 0}`, code >>> 0);
    },
  };
}

function sizeOf(environment: readonly Uint8Array[]): number {
  return environment.reduce((sum, entry) => sum + entry.length, 0);
}
