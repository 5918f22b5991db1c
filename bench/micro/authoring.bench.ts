// Question: what do the ways to write a filter with the SDK cost? The numbers of docs/authoring/speed.md.
// Fixture: a head of 9 fields; for each way a filter whose header callback does it ten times, beside one that does nothing.
// Report: ns for doing it once, median of the rounds.
import { ok } from 'node:assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { BareHost } from '../../test/support/bare-host.ts';
import { BareStream } from '../../test/support/bare-stream.ts';
import { spread } from '../stats.ts';

const TIMES = 10;
const ROUNDS = 31;
const CALLS = 4000;
const root = fileURLToPath(new URL('../../', import.meta.url));

/** What each does; `i` is from 0 to 9. */
const WAYS: Readonly<Record<string, string>> = {
  nothing: '',
  'get, name encoded once': 'use(requestHeaders.get(AGENT));',
  'get, name a string': "use(requestHeaders.get('user-agent'));",
  'get and equals': 'if (requestHeaders.get(AGENT)!.equals(OTHER)) trap();',
  'get, toString and ==': "if (requestHeaders.get(AGENT)!.toString() == 'other') trap();",
  'all fields': 'const all = requestHeaders.all(); while (all.next()) use(all.value);',
  'set, both encoded once': 'requestHeaders.set(NAME, VALUE);',
  'set, both strings': "requestHeaders.set('x-name', 'value');",
  'text with a ByteWriter': 'use(writer.clear().add(VALUE).addByte(32).addNumber(i).view());',
  'text with strings': "length += ('value ' + i.toString()).length;",
  'a property, path encoded once': 'use(property(SOURCE));',
  'a property, path a string': "use(property('source.address'));",
  'an object': 'length += new Thing(i).value;',
  'shared data, read': 'use(getShared(NAME));',
};

const filter = (work: string): string => `
export * from '@weir/filters-sdk/assembly/exports';
import { Action, ByteWriter, Bytes, RootContext, StreamContext, getShared, property, propertyPath, registerRoot, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
const AGENT = utf8('user-agent');
const OTHER = utf8('other');
const NAME = utf8('x-name');
const VALUE = utf8('value');
const SOURCE = propertyPath('source.address');
const writer = new ByteWriter(128);
let length = 0;
class Thing { constructor(public value: i32) {} }
function use(bytes: Bytes | null): void { if (bytes !== null) length += bytes.length; }
function trap(): void { unreachable(); }
class Root extends RootContext {
  stream: Stream = new Stream();
  createStream(): StreamContext { return this.stream; }
}
class Stream extends StreamContext {
  onRequestHeaders(count: i32, end: bool): Action {
    for (let i = 0; i < ${TIMES}; i++) { ${work} }
    return length == -1 ? Action.Pause : Action.Continue;
  }
}
registerRoot(new Root());`;

const folder = await mkdtemp(join(root, 'dist/authoring-'));
const host = new BareHost();
const stream = new BareStream();
const block = stream.request([
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['accept', 'text/html,application/xhtml+xml'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['cookie', 'sid=0123456789abcdef0123456789abcdef'],
  ['x-request-id', '6f1d2c3b-4a59-4e87-9a0b-1c2d3e4f5a6b'],
]);
stream.attributes.set('source.address', { type: 'address', host: '10.0.0.7', port: 1234 });

const plugins = new Map<string, Plugin>();
for (const [way, work] of Object.entries(WAYS)) {
  const entry = join(folder, 'index.ts');
  await writeFile(entry, filter(work));
  const { binary, messages } = await compileFilter({ entry, baseDir: root });
  ok(binary !== null, messages);
  plugins.set(way, await host.start(binary));
}
await rm(folder, { recursive: true });

/** ns of one callback. */
function measure(plugin: Plugin): number {
  const context = plugin.createContext(stream)!;
  const from = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) {
    block.checkpoint();
    context.onRequestHeaders(block.count, true);
    block.rollback();
  }
  const took = Number(process.hrtime.bigint() - from) / CALLS;
  context.finish();
  return took;
}

const times = new Map([...plugins.keys()].map((way) => [way, [] as number[]]));
for (let round = 0; round < ROUNDS + 5; round++)
  for (const [way, plugin] of plugins) {
    const took = measure(plugin);
    if (round >= 5) times.get(way)!.push(took);
  }
const idle = spread(times.get('nothing')!).median;
console.log(`${idle.toFixed(0).padStart(6)} ns  a callback that does nothing`);
for (const [way, list] of times)
  if (way !== 'nothing')
    console.log(`${((spread(list).median - idle) / TIMES).toFixed(0).padStart(6)} ns  ${way}`);
