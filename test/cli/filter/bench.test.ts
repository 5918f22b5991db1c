import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { median, medianInterval, spread } from '../../../src/cli/filter/bench-statistics.ts';
import { ROOT, run, temporaryFolder } from '../../support/process.ts';
import { labelFilter } from '../../support/scenario.ts';
import { scriptedGuest } from '../../support/scripted-guest.ts';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'build'));
  await mkdir(join(folder, '.weir/previous'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"name": "busy"}');
  await writeFile(join(folder, 'build/busy.wasm'), await scriptedGuest());
  await writeFile(join(folder, '.weir/previous/busy.wasm'), labelFilter('light'));
  await writeFile(
    join(folder, 'bench.yaml'),
    `config: "${'reqh set x-a 1;'.repeat(20)}"\nrequest: {method: POST, body: abc}\n`,
  );
});

const bench = (...args: string[]) =>
  run(process.execPath, [join(ROOT, 'bin/weir'), 'filter', 'bench', '--rounds', '9', ...args], {
    cwd: folder,
  });

describe('weir filter bench', () => {
  test('tells what callbacks cost, and that a build which does more is slower than the one before', async () => {
    const { stdout, code } = await bench();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^response headers {2,}[\d.]+ (ns|µs) ±\d+ % +before +[\d.]+ ns ±\d+ % +\+[\d.]+ % \(/m,
    );
    expect(stdout).toMatch(/^request body {2,}[\d.]+ (ns|µs)/m);
    expect(stdout).toMatch(/^fuel +\d{5,} +before \d+$/m);
    expect(stdout).toMatch(/^calls of headers +20 +before \d/m);
    expect(stdout).toMatch(/\nSlower than before: by [\d.]+ %\.\n$/);
  });

  test('has the same as data', async () => {
    const { stdout } = await bench('-o', 'json');
    const [now, before] = JSON.parse(stdout) as {
      file: string;
      cost: { hostCalls: object };
      rounds: unknown[];
    }[];
    expect(now).toMatchObject({ file: 'build/busy.wasm', cost: { hostCalls: { headers: 20 } } });
    expect(before?.file).toBe('.weir/previous/busy.wasm');
    expect([now?.rounds.length, before?.rounds.length]).toEqual([9, 9]);
  });

  test.each([
    [['nowhere.wasm'], 'there is no nowhere.wasm; weir filter build makes it'],
    [['--against', 'nowhere.wasm'], 'there is no nowhere.wasm'],
    [['--rounds', '3'], '--rounds is a whole number from 9 to 1000'],
    [['package.json'], 'package.json'],
    [['--request', 'package.json'], 'package.json does not say what an exchange is'],
  ])('of %j says what is wrong', async (args, fault) => {
    const { stderr, code } = await bench(...args);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(fault);
  });
});

test('an interval for the median holds it nineteen times out of twenty', () => {
  // Of 25 values the 8th from either end: the chance to be beyond the 8th is 4.3 % (binomial).
  const values = Array.from({ length: 25 }, (_, i) => i + 1);
  expect(medianInterval(values)).toEqual({ low: 8, high: 18 });
  expect(medianInterval(values.slice(0, 9))).toEqual({ low: 2, high: 8 });
  expect(median(values)).toBe(13);
  expect(median([1, 2, 3, 4])).toBe(2.5);
  expect(spread(values)).toBeCloseTo(6 / 13);
});
