import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Program, ROOT, run, temporaryFolder } from '../support/process.ts';

const WEIR = join(ROOT, 'bin/weir');
const weir = (...args: string[]) => run(process.execPath, [WEIR, 'test', ...args], { cwd: ROOT });
const SHOP = 'test/rehearsal/shop.yaml';
const TESTS = 'test/rehearsal/shop-tests.yaml';

/** The policies of the shop, with something changed. */
async function changedShop(from: string | RegExp, to: string): Promise<string> {
  const file = join(await temporaryFolder(), 'shop.yaml');
  const text = await readFile(join(ROOT, SHOP), 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  await writeFile(file, changed);
  return file;
}

/** A PolicyTest with a case for each pair of a request and what is expected. */
async function casesOf(...pairs: (readonly [request: string, expected: string])[]): Promise<string> {
  const file = join(await temporaryFolder(), 'test.yaml');
  const cases = pairs.map(
    ([request, expected], i) => `    - {name: case ${i}, request: ${request}, expect: ${expected}}`,
  );
  await writeFile(
    file,
    `apiVersion: policy.weir/v1alpha1
kind: PolicyTest
metadata: {name: one, namespace: shop}
spec:
  cases:
${cases.join('\n')}
`,
  );
  return file;
}

test('cases that pass: status 0, a line for each, and what they leave out', async () => {
  const { stdout, code } = await weir(SHOP, TESTS);
  expect(stdout.match(/^ok {6}shop\/checkout {2}/gm)).toHaveLength(10);
  expect(stdout).toContain('rules reached: 3 of 5\n');
  expect(stdout).toContain('not tested: rule shop/checkout#health   test/rehearsal/shop.yaml:35:7\n');
  expect(stdout.endsWith('\n10 passed, 0 failed\n')).toBe(true);
  expect(code).toBe(0);
});

test('a filter that does not start is told at the value that it refuses', async () => {
  const file = await changedShop('use: api-key', 'use: waf');
  const waf = (await readFile(file, 'utf8')).replace(
    /(use: waf\n +config:)[\s\S]*?(?=\n {4}- name:)/,
    '$1 {exclude: [{rules: [sql/unoin]}]}',
  );
  await writeFile(file, waf);
  const { stderr, code } = await weir(file, TESTS);
  expect(stderr).toMatch(
    /shop\.yaml:\d+:\d+ {2}error WEIR4002 {2}filter "who": config\.exclude\[0\]\.rules\[0\]/,
  );
  expect(stderr).toMatch(/\^{9} did you mean "sql\/union"\?/);
  expect(code).toBe(1);
});

test('--strict fails where something is not tested', async () => {
  expect((await weir(SHOP, TESTS, '--strict')).code).toBe(1);
});

test.each([
  [
    'a key is no longer taken out',
    'stripCredential: true',
    'stripCredential: false',
    'the upstream gets no key',
  ],
  ['a filter is off', 'use: api-key', 'use: api-key\n      mode: Off', 'without a key nothing passes'],
  [
    'a limit is larger',
    'requests: 2, per: 1m',
    'requests: 3, per: 1m',
    'the third request of a minute is limited',
  ],
  ['there is one attempt less', 'attempts: 3', 'attempts: 2', 'a 503 is tried three times at most'],
  ['a route leads elsewhere', 'replacePrefixMatch: /v1', 'replacePrefixMatch: /v2', 'old paths are moved'],
])('fails where %s', async (_, from, to, failed) => {
  const { stdout, code } = await weir(await changedShop(from, to), TESTS);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^FAILED {2}shop/checkout {2}.*${failed}`, 'm'));
});

test('what is expected and does not come is told with what came instead', async () => {
  const cart = '{url: "http://checkout.example.com/v1"}';
  const health = '{url: "http://checkout.example.com/healthz"}';
  const missed: readonly (readonly [request: string, expected: string, miss: string])[] = [
    [cart, '{status: 200}', 'status: expected 200, got 401 by shop/checkout#who (api_key_missing)'],
    [cart, '{upstreamHeaders: {x-a: null}}', 'upstream headers: no upstream was asked'],
    [cart, '{upstream: beta}', 'upstream: expected "shop/beta", got none'],
    [cart, '{rule: "HTTPRoute/checkout#old"}', 'rule: expected "shop/checkout#old", got "shop/checkout#api"'],
    [
      health,
      '{decidedBy: "FilterChain/checkout#who"}',
      'decidedBy: expected "shop/checkout#who", got "upstream"',
    ],
    [health, '{headers: {x-a: b}}', 'header x-a: expected "b", got none'],
    [health, '{body: x}', 'body: expected "x", got ""'],
    [health, '{attempts: 2}', 'attempts: expected 2, got 1'],
    [health, '{details: no_route}', 'details: expected "no_route", got "via_upstream"'],
    [
      '{url: "https://checkout.example.com/"}',
      '{status: 200}',
      'no listener takes https://checkout.example.com/; there are: http on port 8080',
    ],
  ];
  const { stdout, code } = await weir(
    SHOP,
    await casesOf(...missed.map(([request, e]) => [request, e] as const)),
  );
  expect(code).toBe(1);
  for (const [i, [, , miss]] of missed.entries()) {
    const [, report] = stdout.split(`FAILED  shop/one  case ${i} `);
    expect(report?.split(/^(?:ok|FAILED|$)/m)[0]).toContain(miss);
  }
});

test('of a case that failed all is told that decided, long texts from where they differ, and its place once more', async () => {
  const long = 'x'.repeat(300);
  const file = await casesOf(
    ['{url: "http://checkout.example.com/v1"}', '{status: 200}'],
    [
      `{method: POST, body: ${long}ay, url: "http://checkout.example.com/healthz"}`,
      `{upstreamBody: ${long}by}`,
    ],
    ['{url: "http://checkout.example.com/healthz"}', '{status: 200}'],
  );
  const { stdout } = await weir(SHOP, file);
  expect(stdout).toMatch(
    /^ {8}route {5}shop\/checkout#api {3}path begins with \/v1 {3}test\/rehearsal\/shop/m,
  );
  expect(stdout).toMatch(/^ {18}shop\/checkout#who +replied +test\/rehearsal\/shop\.yaml:\d+:7$/m);
  expect(stdout).toContain('upstream body: expected …"xxxxxxxxxxxxxxxxxxxxby"\n');
  expect(stdout).toContain('                   got      …"xxxxxxxxxxxxxxxxxxxxay"\n');
  expect(stdout).toMatch(/^failed: case 0 {3}\S*test\.yaml:6:7\nfailed: case 1 {3}/m);
});

test('values of Secrets in configurations are not told', async () => {
  const file = join(await temporaryFolder(), 'llm.yaml');
  await writeFile(
    file,
    `apiVersion: policy.weir/v1alpha1
kind: PolicyTest
metadata: {name: one}
spec:
  cases:
  - name: no key
    request:
      method: POST
      url: http://llm.example.com/v1/chat/completions
      as: {consumer: search-team}
      headers: {content-type: application/json}
      body: '{"model": "small-1", "messages": [], "max_tokens": 100}'
    expect: {upstreamHeaders: {authorization: null}}
`,
  );
  const junit = join(await temporaryFolder(), 'results.xml');
  const { stdout } = await weir('policies/llm-gateway/policy.yaml', file, '--junit', junit);
  expect(stdout).toContain('upstream header authorization: expected none, got "Bearer [redacted]"');
  expect(stdout).toContain('request   + authorization: Bearer [redacted]');
  expect(stdout + (await readFile(junit, 'utf8'))).not.toContain('example-key-of-the-provider');
});

test('a case whose name says so is run alone', async () => {
  const { stdout, code } = await weir(SHOP, TESTS, '--only', 'moved');
  expect(code).toBe(0);
  expect(stdout).toContain('1 passed, 0 failed\n');
});

test('no case at all is a failure', async () => {
  const { stdout, code } = await weir(SHOP);
  expect(code).toBe(1);
  expect(stdout).toContain('there is no PolicyTest in these files');
});

test('--junit writes what CI systems read', async () => {
  const file = join(await temporaryFolder(), 'results.xml');
  await weir(
    SHOP,
    TESTS,
    await casesOf(['{url: "http://checkout.example.com/v1"}', '{body: "<&\\">"}']),
    '--junit',
    file,
  );
  const xml = await readFile(file, 'utf8');
  expect(xml).toContain('<testsuite name="shop/checkout" tests="10" failures="0"');
  expect(xml).toContain('<testsuite name="shop/one" tests="1" failures="1"');
  expect(xml).toContain('body: expected &quot;&lt;&amp;\\&quot;&gt;&quot;, got');
});

test('names that are not there are warned of, with the nearest fix, and their case fails', async () => {
  const file = await casesOf([
    '{url: "http://a.test/"}',
    '{rule: "HTTPRoute/checkout#apl", decidedBy: "FilterChain/checkout#whom", upstream: chekout}',
  ]);
  const { stderr, code } = await weir(SHOP, file);
  expect(code).toBe(1);
  expect(stderr).toContain('warning WEIR3012  there is no rule shop/checkout#apl');
  expect(stderr).toContain('did you mean "shop/checkout#api"?');
  expect(stderr).toContain('did you mean "shop/checkout#who"?');
  expect(stderr).toContain('did you mean "checkout"?');
});

test('--watch runs the cases again when a file is saved', async () => {
  const policies = await changedShop('requests: 2, per: 1m', 'requests: 3, per: 1m');
  const program = new Program(process.execPath, [WEIR, 'test', policies, join(ROOT, TESTS), '--watch']);
  await program.waitFor('9 passed, 1 failed');
  await program.waitFor('waiting for changes');
  await writeFile(policies, await readFile(join(ROOT, SHOP), 'utf8'));
  await program.waitFor('10 passed, 0 failed');
  await program.stop('SIGINT');
});
