// Question: what does the meter cost the code that it is in, and how long does putting it in take?
// Fixture: six kernels in AssemblyScript and one filter's work, each compiled with and without the meter in
// this process, taking turns; a module of 250 KB. Report: time with the meter as a ratio to time without,
// median of the rounds with quartiles. Aim: none above 1.6, 1.25 in the geometric mean, 50 ms for the module.
import { strictEqual } from 'node:assert';
import { readShape } from '../../src/runtime/wasm/binary.ts';
import { rewriteNow } from '../../src/runtime/wasm/meter/rewrite.ts';
import { compileAssemblyScript } from '../../test/support/assemblyscript.ts';
import { Metered } from '../../test/support/metered.ts';
import { randomModule } from '../../test/support/random-module.ts';
import { spread } from '../stats.ts';

const ROUNDS = 41;
/** Long enough for the clock, short enough that both see the same machine. */
const TURN_MS = 4;

const KERNELS: Readonly<Record<string, string>> = {
  recursion: `
    function fib(n: i32): i32 { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    export function run(): i32 { return fib(22); }`,
  hash: `
    const data = memory.data(4096);
    export function run(): i32 {
      let h: u32 = 2166136261;
      for (let r = 0; r < 8; r++)
        for (let i = 0; i < 4096; i++) h = (h ^ (<u32>load<u8>(data + i) + i)) * 16777619;
      return h;
    }`,
  sieve: `
    const flags = memory.data(32768);
    export function run(): i32 {
      memory.fill(flags, 1, 32768);
      let count = 0;
      for (let i = 2; i < 32768; i++) {
        if (load<u8>(flags + i) == 0) continue;
        count++;
        for (let j = i + i; j < 32768; j += i) store<u8>(flags + j, 0);
      }
      return count;
    }`,
  json: `
    const text = '{"users":[' + '{"id":12345,"name":"somebody else","tags":["a","bc","def"],"score":-12.5e3,"ok":true},'.repeat(40) + 'null]}';
    let at = 0;
    function space(): void { while (at < text.length && text.charCodeAt(at) <= 32) at++; }
    function str(): i32 { let n = 0; at++; while (text.charCodeAt(at) != 34) { if (text.charCodeAt(at) == 92) at++; at++; n++; } at++; return n; }
    function num(): i32 {
      let n = 0;
      for (;;) { const c = text.charCodeAt(at); if ((c >= 48 && c <= 57) || c == 45 || c == 46 || c == 101) { n = n * 31 + c; at++; } else break; }
      return n;
    }
    function value(): i32 {
      space();
      const c = text.charCodeAt(at);
      let sum = 0;
      if (c == 123) {
        at++;
        for (;;) { space(); if (text.charCodeAt(at) == 125) { at++; break; } if (text.charCodeAt(at) == 44) { at++; space(); } sum += str(); space(); at++; sum += value(); }
      } else if (c == 91) {
        at++;
        for (;;) { space(); if (text.charCodeAt(at) == 93) { at++; break; } if (text.charCodeAt(at) == 44) at++; sum += value(); }
      } else if (c == 34) sum = str();
      else if (c == 116 || c == 110) { at += 4; sum = 1; }
      else if (c == 102) { at += 5; sum = 2; }
      else sum = num();
      return sum;
    }
    export function run(): i32 { at = 0; return value(); }`,
  regex: `
    const subject = String.UTF8.encode('x'.repeat(60) + 'aaaaaaaaaaaaaab' + '/api/v1/items/4711/detail?id=42');
    const base = changetype<usize>(subject);
    const length = subject.byteLength;
    // Backtracking, after Pike: c, c*, ., ^ and $.
    const pattern = String.UTF8.encode('a*a*a*.*/items/.*id=4.$');
    function star(c: i32, re: usize, end: usize, s: i32): bool {
      do { if (here(re, end, s)) return true; } while (s < length && (<i32>load<u8>(base + s++) == c || c == 46));
      return false;
    }
    function here(re: usize, end: usize, s: i32): bool {
      if (re == end) return true;
      const c = <i32>load<u8>(re);
      if (re + 1 < end && load<u8>(re + 1) == 42) return star(c, re + 2, end, s);
      if (c == 36 && re + 1 == end) return s == length;
      if (s < length && (c == 46 || c == <i32>load<u8>(base + s))) return here(re + 1, end, s + 1);
      return false;
    }
    export function run(): i32 {
      const re = changetype<usize>(pattern);
      let found = 0;
      for (let s = 0; s < length; s++) if (here(re, re + pattern.byteLength, s)) found++;
      return found;
    }`,
  sort: `
    const values = new StaticArray<i32>(4096);
    function quick(low: i32, high: i32): void {
      while (low < high) {
        const pivot = unchecked(values[(low + high) >> 1]);
        let i = low, j = high;
        while (i <= j) {
          while (unchecked(values[i]) < pivot) i++;
          while (unchecked(values[j]) > pivot) j--;
          if (i <= j) { const t = unchecked(values[i]); unchecked(values[i] = values[j]); unchecked(values[j] = t); i++; j--; }
        }
        if (j - low < high - i) { quick(low, j); low = i; } else { quick(i, high); high = j; }
      }
    }
    export function run(): i32 {
      let x: u32 = 1;
      for (let i = 0; i < 4096; i++) { x = x * 1664525 + 1013904223; unchecked(values[i] = x >> 8); }
      quick(0, 4095);
      return unchecked(values[2048]);
    }`,
};

/** What a filter that reads three fields and sets one does, with host calls that do next to nothing. */
const FILTER = `
  @external("env", "proxy_get_header_map_value") declare function get(map: i32, name: usize, size: i32, data: usize, dataSize: usize): i32;
  @external("env", "proxy_replace_header_map_value") declare function set(map: i32, name: usize, size: i32, value: usize, valueSize: i32): i32;
  const out = memory.data(8);
  const name = memory.data(16);
  export function allocate(size: i32): usize { return heap.alloc(size); }
  function read(size: i32): i32 {
    if (get(0, name, size, out, out + 4) != 0) return 0;
    const at = load<usize>(out);
    const first = load<u8>(at);
    heap.free(at);
    return first;
  }
  export function run(): i32 {
    let seen = 0;
    for (let i = 0; i < 100; i++) { seen += read(13) + read(5) + read(10); set(0, name, 8, name, 2); }
    return seen;
  }`;

type Run = () => number;

/** Host calls that give a value of 20 bytes in a block of the guest's own, as the real ones do. */
function hostOf(): { imports: WebAssembly.Imports; attach(exports: Record<string, unknown>): void } {
  let words: DataView;
  let allocate: (size: number) => number;
  return {
    imports: {
      env: {
        proxy_get_header_map_value(
          _map: number,
          _name: number,
          _size: number,
          data: number,
          size: number,
        ): number {
          const at = allocate(20);
          for (let i = 0; i < 20; i++) words.setUint8(at + i, 65 + i);
          words.setUint32(data, at, true);
          words.setUint32(size, 20, true);
          return 0;
        },
        proxy_replace_header_map_value: (): number => 0,
        abort: (): void => {},
      },
    },
    attach(exports): void {
      words = new DataView((exports['memory'] as WebAssembly.Memory).buffer);
      allocate = exports['allocate'] as typeof allocate;
    },
  };
}

const SLICE = 1_000_000;

async function pair(source: string): Promise<[plain: Run, metered: Run]> {
  const bytes = await compileAssemblyScript({ 'index.ts': source });
  const hosts = [hostOf(), hostOf()] as const;
  const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes), hosts[0].imports);
  const metered = new Metered(bytes, hosts[1].imports, { slice: SLICE });
  metered.start();
  hosts[0].attach(plain.exports);
  hosts[1].attach(metered.exports);
  const run = metered.exports['run'] as Run;
  return [plain.exports['run'] as Run, run];
}

function time(run: Run, turns: number): number {
  const start = performance.now();
  for (let i = 0; i < turns; i++) run();
  return performance.now() - start;
}

const ratios: number[] = [];
console.log('kernel      with / without   quartiles       without');
for (const [name, source] of [...Object.entries(KERNELS), ['filter', FILTER] as const]) {
  const [plain, metered] = await pair(source);
  strictEqual(plain(), metered());
  // Both have to be optimised.
  for (let i = 0; i < 20; i++) for (const run of [plain, metered]) time(run, 20);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const once = time(plain, 20) / 20;
  const turns = Math.max(1, Math.round(TURN_MS / once));
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const [a, b] =
      i % 2 === 0
        ? [time(plain, turns), time(metered, turns)]
        : [time(metered, turns), time(plain, turns)].reverse();
    rounds.push(b! / a!);
  }
  const { median, low, high } = spread(rounds);
  if (name !== 'filter') ratios.push(median);
  console.log(
    `${name.padEnd(12)}${median.toFixed(2).padEnd(17)}${low.toFixed(2)} to ${high.toFixed(2)}    ${(once * 1000).toFixed(1)} µs`,
  );
}
const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
console.log(`geometric mean of the kernels: ${mean.toFixed(2)}, the most: ${Math.max(...ratios).toFixed(2)}`);

let seed = 1;
let large = randomModule(seed, { functions: 10, statements: 20 });
while (large.bytes.length < 230_000) large = randomModule(++seed, { functions: 10 + seed, statements: 20 });
const shape = readShape(large.bytes);
const times = Array.from({ length: 15 }, () => {
  const start = performance.now();
  rewriteNow(large.bytes, shape, { memoryBytes: 2 ** 24 });
  return performance.now() - start;
});
const { bytes } = rewriteNow(large.bytes, shape, { memoryBytes: 2 ** 24 });
console.log(
  `rewriting ${Math.round(large.bytes.length / 1000)} KB: the first time ${times[0]!.toFixed(1)} ms, then ${spread(times.slice(1)).median.toFixed(1)} ms; ` +
    `${(bytes.length / large.bytes.length).toFixed(2)} times as large`,
);
