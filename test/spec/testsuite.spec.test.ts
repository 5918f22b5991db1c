import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { runScript } from './differential.ts';
import { scripts } from './testsuite.ts';

const total = { compared: 0, asserted: 0, refused: 0 };

describe("WebAssembly's test suite comes to the same with the meter in its modules", () => {
  test.each(scripts())('%s', (_name, path) => {
    const report = runScript(readFileSync(path, 'utf8'));
    total.compared += report.compared;
    total.asserted += report.asserted;
    total.refused += report.refused;
    expect(report.differences).toEqual([]);
  });

  afterAll(() => {
    process.stderr.write(`weir: test suite of WebAssembly: ${JSON.stringify(total)}\n`);
  });

  test('what the engine of Node 20 has is run, not passed over', () => {
    expect(total.compared).toBeGreaterThan(100_000);
    expect(total.asserted).toBeGreaterThan(70_000);
  });
});
