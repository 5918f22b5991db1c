// The examples of filters as a reader finds them: listed, explained, and with a configuration that weir takes.
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { check } from '../../src/cli/check.ts';
import { CANARY } from '../support/canary.ts';
import { exampleFile, exampleNames, EXAMPLES } from '../support/examples.ts';

test.each(exampleNames)('the configuration of %s is right', { timeout: 60_000 }, async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await copyFile(join(EXAMPLES, 'gateway.yaml'), join(folder, 'gateway.yaml'));
  await copyFile(join(EXAMPLES, name, 'policy.yaml'), join(folder, 'policy.yaml'));
  await copyFile(await exampleFile(name), join(folder, `${name}.wasm`));
  const { text, exitCode } = await check([folder], { output: 'text', canary: CANARY });
  expect(text).toMatch(/^ok: 2 ports, \d rules?, [1-9] filter/);
  expect(exitCode).toBe(0);
});

test('the list has every example, and every example says what it is', async () => {
  const list = await readFile(join(EXAMPLES, 'README.md'), 'utf8');
  const listed = [...list.matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name);
  expect([...listed].sort()).toEqual([...exampleNames].sort());
  for (const name of exampleNames) {
    const readme = await readFile(join(EXAMPLES, name, 'README.md'), 'utf8');
    expect(readme).toMatch(new RegExp(`^# ${name}\\n\\n\\*[\\w ,.-]+\\*`));
    for (const file of ['index.ts', 'policy.yaml', `${name}.test.ts`]) expect(readme).toContain(`](${file})`);
  }
});
