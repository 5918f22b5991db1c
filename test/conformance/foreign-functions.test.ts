// Section "Host calls" of docs/security.md: whatever bytes a guest hands to a foreign function, it answers a status.
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foreignPlaceOf } from '../../scripts/docs/foreign-table.ts';
import { FOREIGN_FUNCTIONS } from '../../src/runtime/wasm/foreign-functions.ts';
import { Status } from '../../src/runtime/wasm/abi.ts';
import { callForeign } from '../support/foreign.ts';
import { runScript } from '../support/bare-run.ts';

const rows = [...FOREIGN_FUNCTIONS.values()];

test('the table points at code and tests that exist, and the tests name the function', async () => {
  const { readFile } = await import('node:fs/promises');
  for (const row of rows) {
    const { file, test: path } = foreignPlaceOf(row);
    expect(
      [file, path].filter((each) => !existsSync(each)),
      row.name,
    ).toEqual([]);
    expect(await readFile(path, 'utf8')).toContain(row.name);
  }
});

describe.each(rows.map((row) => [row.name, row] as const))('%s', (name, row) => {
  const statuses = ['Ok', ...row.statuses.split(' ')].map((each) => Status[each as keyof typeof Status]);

  test('answers a status of its own for any bytes, and nobody traps', async () => {
    const seed = 20_261_125;
    const samples = fc.sample(fc.uint8Array({ maxLength: 60 }), { numRuns: 120, seed });
    // So many calls in one callback are more than its time on a busy machine.
    const run = await runScript((s) => samples.forEach((args) => callForeign(s, name, args)), {
      pages: 8,
      limits: { cpu: { perCallMs: 5000, perRequestMs: 5000 } },
    });
    expect(run.action).toBe(0);
    expect(run.plugin.traps).toBe(0);
    for (const status of run.results(samples.length)) expect(statuses).toContain(status);
  });

  test('is told by a root context without a stream, too', async () => {
    const run = await runScript(() => {}, {
      scripts: { proxy_on_configure: (s) => callForeign(s, name, 'args').return(1) },
    });
    expect([...statuses, Status.NotFound]).toContain(run.results(1)[0]);
    expect(run.plugin.traps).toBe(0);
  });
});

test('a result that the guest has no memory for is InvalidMemoryAccess', async () => {
  const run = await runScript((s) => callForeign(s, 'compress', 'text'), { allocate: [0x41, 0] });
  expect(run.results(1)).toEqual([Status.InvalidMemoryAccess]);
});
