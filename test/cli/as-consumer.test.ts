import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, run } from '../support/process.ts';

const MEMBERS = 'test/rehearsal/members.yaml';
const weir = (...args: string[]) => run(process.execPath, [join(ROOT, 'bin/weir'), ...args], { cwd: ROOT });
const explain = (path: string, consumer: string) =>
  weir('explain', 'GET', `http://club.test${path}`, '-f', MEMBERS, '--as', consumer);

describe('weir explain --as shows credentials of a Consumer whose digests alone are known', () => {
  test.each([
    ['a key', '/keys', 'club/ann', 'x-who: ann'],
    ['a key in the query', '/query', 'club/ann', 'x-who: ann'],
    ['a password', '/people', 'club/bob', 'x-who: bob'],
  ])('%s', async (_, path, consumer, told) => {
    const { stdout, code } = await explain(path, consumer);
    expect(code).toBe(0);
    expect(stdout).toContain(`request   + ${told}`);
    expect(stdout).toContain('access    allowed by AccessPolicy/club/gold#members');
    expect(stdout).toContain('answer    200   by the upstream');
  });

  test.each([
    ['one that another filter knows', '/keys', 'club/bob', 'api_key_missing'],
    ['one whose credential has ended', '/keys', 'club/past', 'api_key_expired'],
  ])('%s is refused as ever', async (_, path, consumer, details) => {
    const { stdout } = await explain(path, consumer);
    expect(stdout).toMatch(new RegExp(`answer +401 +by club/keys#who +${details}`));
  });

  test.each(['club/tokens', 'club/nobody', 'ann'])('%s has none: the message says who has', async (name) => {
    const { stderr, code } = await explain('/keys', name);
    expect(code).toBe(1);
    expect(stderr).toContain('Those that are: club/ann, club/bob, club/eve, club/past.');
  });
});

test('cases of a PolicyTest speak for Consumers by name', async () => {
  const { stdout, code } = await weir('test', MEMBERS, 'test/rehearsal/members-tests.yaml');
  expect(stdout).toContain('10 passed, 0 failed');
  expect(code).toBe(0);
});

test('a case that speaks for nobody is told, with the nearest name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-as-'));
  const file = join(folder, 'tests.yaml');
  await writeFile(
    file,
    `apiVersion: policy.weir/v1alpha1
kind: PolicyTest
metadata: {name: t, namespace: club}
spec:
  cases:
  - name: wrong
    request: {url: 'http://club.test/keys', as: {consumer: anm}}
    expect: {status: 200}
`,
  );
  const checked = (await weir('check', MEMBERS, file)).stdout;
  expect(checked).toMatch(/7:\d+ +warning WEIR3012 .*Consumer/);
  expect(checked).toContain('did you mean "ann"?');
  const { stdout, code } = await weir('test', MEMBERS, file);
  expect(stdout).toContain('as: no filter selects Consumer club/anm by a credential apiKey or basic');
  expect(code).toBe(1);
});

test('a configuration that serves has no such credentials', async () => {
  const { stdout } = await weir('check', MEMBERS);
  const again = await weir('check', MEMBERS);
  // They differ from run to run, and so would the snapshot's version.
  expect(again.stdout).toBe(stdout);
  expect(stdout).toMatch(/snapshot [0-9a-f]{12}/);
});
