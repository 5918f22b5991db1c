import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, startCoverage } from '../../../filters-sdk/testing/kit.ts';

const FILTER = `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, replyWith, requestHeader } from '@weir/filters-sdk/assembly';

class Root extends RootContext {
  createStream(): StreamContext {
    return new Stream();
  }
}

class Stream extends StreamContext {
  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const name = requestHeader('x-name');
    if (name === null) {
      return replyWith(400, 'no name');
    }
    let sum = 0;
    for (let i = 0; i < 3; i++) {
      sum += i;
    }
    if (sum == 99) throw new Error('never');
    return replyWith(200, sum.toString());
  }

  unused(): i32 {
    return 42;
  }

  onRequestBody(_size: i32, _endOfStream: bool): Action {
    return Action.Continue;
  }
}

registerRoot(new Root());
`;

// In the project: a filter finds the SDK from where it lies.
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(import.meta.dirname, '.tmp-'));
  file = join(folder, 'index.ts');
  await writeFile(file, FILTER);
});
afterAll(() => rm(folder, { recursive: true }));

test('lines that ran are counted, those that did not are shown', { timeout: 90_000 }, async () => {
  const counting = startCoverage();
  const filter = await openFilter(file);
  for (const name of ['ann', 'bob'])
    expect((await filter.exchange({ request: { headers: { 'x-name': name } } })).answer.body).toBe('3');
  const found = counting.report().files.find((each) => each.file === relative(process.cwd(), file))!;
  const line = (text: string): number | undefined =>
    found.lines.get(FILTER.split('\n').findIndex((each) => each.includes(text)) + 1);
  expect(line("requestHeader('x-name')")).toBe(2);
  expect(line("'no name'")).toBe(0);
  expect(line('sum += i')).toBe(6);
  expect(line('class Stream')).toBeUndefined();
  expect(line('return Action.Continue')).toBe(0);
  expect(line('return 42')).toBe(0);
  expect(line('return new Stream()')).toBe(2);
  expect(line('registerRoot(new Root')).toBe(1);
  expect(counting.report().text()).toMatch(/index\.ts +75\.0 % +9 of 12 +14, 25-29\n$/);
  await filter.exchange();
  const lcov = counting.report().lcov();
  expect(lcov).toContain(`SF:${found.file}\nDA:6,3\n`);
  expect(lcov).toContain('DA:14,1\n');
  expect(lcov).toContain('LF:12\nLH:10\nend_of_record\n');
  counting.stop();
});
