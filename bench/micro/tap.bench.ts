// Question: what does a request pay for taps that nobody has open?
// Fixture: the life of one stream context of a filter that adds a field, in three copies of the runtime in one process: without the
// comparison that a tap needs, with it, and with it after a tap was open and has ended. They take turns.
// Report: ns of one life, median of the rounds, and of the differences within a round. Aim: not to be told from noise.
import { ok } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import type { TapSpec } from '../../src/runtime/wasm/tap/tap.ts';
import { spread } from '../stats.ts';

const ROUNDS = 101;
const WARM_UP = 20;
const LIVES = 4000;
const root = fileURLToPath(new URL('../../', import.meta.url));
const HOOK = 'this.tap?.choose(stream) ?? this.#take()';
const ENTRY = `export { BareHost } from './test/support/bare-host.ts';
export { BareStream } from './test/support/bare-stream.ts';
export { labelFilter } from './test/support/scenario.ts';
export { TapSet } from './src/runtime/wasm/tap/tap-set.ts';
export { Tap } from './src/runtime/wasm/tap/tap.ts';`;

interface Runtime {
  readonly BareHost: typeof import('../../test/support/bare-host.ts').BareHost;
  readonly BareStream: typeof import('../../test/support/bare-stream.ts').BareStream;
  readonly labelFilter: typeof import('../../test/support/scenario.ts').labelFilter;
  readonly TapSet: typeof import('../../src/runtime/wasm/tap/tap-set.ts').TapSet;
  readonly Tap: typeof import('../../src/runtime/wasm/tap/tap.ts').Tap;
}

const folder = await mkdtemp(join(root, 'dist/tap-'));

/** A copy of the runtime. @param hook what stands where a tap may take a stream */
async function copy(name: string, hook: string): Promise<Runtime> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    stdin: { contents: ENTRY, resolveDir: root },
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [
      {
        name: 'hook',
        setup: ({ onLoad }) =>
          onLoad({ filter: /runtime[\\/]wasm[\\/]plugin\.ts$/ }, async ({ path }) => {
            const text = await readFile(path, 'utf8');
            ok(text.includes(HOOK), 'plugin.ts asks for a tap in another way: mend this benchmark');
            return { contents: text.replace(HOOK, hook), loader: 'ts' };
          }),
      },
    ],
  });
  return (await import(pathToFileURL(outfile).href)) as Runtime;
}

const SPEC: TapSpec = {
  filters: ['*'],
  path: '',
  headers: [],
  count: 10,
  keepSecrets: false,
  bodyBytes: 0,
  redact: [],
  key: '',
};

async function subject({ BareHost, BareStream, labelFilter, Tap, TapSet }: Runtime, tapped: boolean) {
  const stream = new BareStream();
  stream.request([['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0']]);
  const answer = stream.response([
    [':status', '200'],
    ['content-type', 'application/json'],
  ]);
  const plugin: Plugin = await new BareHost().start(labelFilter('m1'));
  const life = (): void => {
    answer.checkpoint();
    const context = plugin.createContext(stream)!;
    context.onResponseHeaders(answer.count, true);
    context.finish();
    answer.rollback();
  };
  if (tapped) {
    const taps = new TapSet();
    taps.follow([plugin]);
    const tap = new Tap(
      SPEC,
      0,
      () => null,
      () => undefined,
    );
    taps.add(tap);
    for (let i = 0; i < 20; i++) life();
    ok(tap.streams === 10);
    await taps.remove(tap);
  }
  return (): number => {
    const from = process.hrtime.bigint();
    for (let i = 0; i < LIVES; i++) life();
    return Number(process.hrtime.bigint() - from) / LIVES;
  };
}

const subjects = {
  'without the comparison': await subject(await copy('without', 'this.#take()'), false),
  'no tap': await subject(await copy('with', HOOK), false),
  'after a tap': await subject(await copy('after', HOOK), true),
  // What two copies of the same differ by.
  'without, once more': await subject(await copy('again', 'this.#take()'), false),
};
await rm(folder, { recursive: true });

const times = Object.keys(subjects).map(() => [] as number[]);
const runs = Object.values(subjects);
for (let round = 0; round < ROUNDS + WARM_UP; round++)
  for (let i = 0; i < runs.length; i++) {
    const at = (i + round) % runs.length;
    const took = runs[at]!();
    if (round >= WARM_UP) times[at]!.push(took);
  }
for (const [i, name] of Object.keys(subjects).entries()) {
  const differences = times[i]!.map((ns, round) => ns - times[0]![round]!);
  const by = i === 0 ? '' : `  ${spread(differences).median.toFixed(1).padStart(6)} ns more, paired`;
  console.log(`${spread(times[i]!).median.toFixed(0).padStart(6)} ns  ${name.padEnd(24)}${by}`);
}
