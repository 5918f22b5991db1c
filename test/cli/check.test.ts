import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { check } from '../../src/cli/check.ts';

const golden = (name: string) =>
  relative(process.cwd(), fileURLToPath(new URL(`../golden/${name}`, import.meta.url)));
const good = golden('weighted-upstreams.in.yaml');
const faulty = golden('faults-merge.in.yaml');

test('a good configuration exits 0 and says what is in it', async () => {
  const { text, exitCode } = await check([good], { output: 'text' });
  expect(exitCode).toBe(0);
  expect(text).toMatch(/^ok: 1 port, 1 rule, 0 filters, 2 upstreams; snapshot [0-9a-f]{12}\n$/);
});

test('errors exit 1', async () => {
  const { text, exitCode } = await check([good, faulty], { output: 'text' });
  expect(exitCode).toBe(1);
  expect(text).toMatch(/^\d+ errors\.$/m);
  expect(text).not.toContain('ok:');
});

test('warnings exit 0, and 1 where they are errors', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-check-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const unused = 'spec: {endpoints: {static: [{address: 127.0.0.1, port: 1}]}}';
  await writeFile(
    join(folder, 'a.yaml'),
    `apiVersion: policy.weir/v1alpha1\nkind: Upstream\nmetadata: {name: a}\n${unused}\n`,
  );
  const { text, exitCode } = await check([folder], { output: 'text' });
  expect(exitCode).toBe(0);
  expect(text).toContain('warning WEIR3002');
  expect(text).toContain('ok: 0 ports');
  const strict = await check([folder], { output: 'text', strict: true });
  expect(strict.exitCode).toBe(1);
  expect(strict.text).toMatch(/warning WEIR3002[\s\S]*Warnings are errors here/);
  expect(strict.text).not.toContain('ok:');
});

test('-o json is one object with all diagnostics', async () => {
  const { text } = await check([faulty], { output: 'json' });
  const result = JSON.parse(text) as { version: null; errors: number; diagnostics: { severity: string }[] };
  expect(result.version).toBeNull();
  expect(result.errors).toBe(result.diagnostics.filter(({ severity }) => severity === 'error').length);
});

test('-o sarif is SARIF 2.1.0', async () => {
  const { text } = await check([faulty], { output: 'sarif' });
  const sarif = JSON.parse(text) as { version: string; runs: [{ results: { ruleId: string }[] }] };
  expect(sarif.version).toBe('2.1.0');
  expect(sarif.runs[0].results.map(({ ruleId }) => ruleId)).toContain('WEIR2003');
});
