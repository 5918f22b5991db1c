import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, run } from '../support/process.ts';

const weir = (...args: string[]) =>
  run(process.execPath, [join(ROOT, 'bin/weir'), 'explain', ...args], { cwd: ROOT });
const SHOP = ['-f', 'test/rehearsal/shop.yaml'];

test('a request that passes: listener, route, what each filter changes, upstream and answer', async () => {
  const fields = ['-H', 'x-api-key: acme-key', '-H', 'x-internal: 1'];
  const { stdout, code } = await weir('GET', 'http://checkout.example.com/v1/%63art', ...fields, ...SHOP);
  expect(code).toBe(0);
  const lines = stdout.split('\n').map((line) => line.trimEnd());
  expect(lines).toEqual([
    'listener  shop/edge/shop   has the hostname *.example.com',
    'route     shop/checkout#api   path begins with /v1   test/rehearsal/shop.yaml:16:7',
    '          not shop/checkout#beta: there is no header x-beta, it wants header x-beta is "yes"   test/rehearsal/shop.yaml:22:7',
    'filters   shop/everybody#cors  continued    test/rehearsal/shop.yaml:53:7',
    '            response  + vary: Origin',
    '          shop/checkout#who    continued    test/rehearsal/shop.yaml:63:7',
    '            request   - x-api-key: acme-key',
    '          shop/checkout#rps    continued    test/rehearsal/shop.yaml:69:7',
    '            response  + ratelimit-policy: "default";q=2;w=60',
    '            response  + ratelimit: "default";r=1;t=30',
    '          shop/checkout#shape  continued    test/rehearsal/shop.yaml:72:7',
    '            request   - x-internal: 1',
    '            request   + x-team: payments',
    expect.stringMatching(/^upstream {2}shop\/checkout {3}10\.0\.0\.[12]:9001$/),
    'answer    200   by the upstream   via_upstream',
    '',
  ]);
});

test('values of Secrets in configurations are not told', async () => {
  const ask = ['POST', 'http://llm.example.com/v1/chat/completions', '--as', 'search-team'];
  const body = [
    '-H',
    'content-type: application/json',
    '-d',
    '{"model":"small-1","messages":[],"max_tokens":1}',
  ];
  const { stdout } = await weir(...ask, ...body, '-f', 'policies/llm-gateway', '-o', 'json');
  expect(stdout).toContain('"after": "Bearer [redacted]"');
  expect(stdout).not.toContain('example-key-of-the-provider');
  // It waits for the body, and goes on with it.
  const { filters } = JSON.parse(stdout) as { filters: { filter: string; decision: string }[] };
  expect(filters.find(({ filter }) => filter === 'default/llm#question')?.decision).toBe('continued');
});

test('a request that a filter refuses: which, and what was not reached', async () => {
  const { stdout } = await weir('GET', 'http://checkout.example.com/v1/cart', ...SHOP);
  expect(stdout).toContain('shop/checkout#who    replied      test/rehearsal/shop.yaml:63:7');
  expect(stdout).toContain('shop/checkout#rps    not reached  test/rehearsal/shop.yaml:69:7');
  expect(stdout).toContain('upstream  not reached\nanswer    401   by shop/checkout#who   api_key_missing\n');
});

test('limits of a plan: which lets it through, which refuses it', async () => {
  const args = ['GET', 'http://a.test/', '--as', 'shop/ann', '-f', 'test/rehearsal/plans.yaml'];
  const { stdout } = await weir(...args);
  expect(stdout).toContain('            says      plan free: within "second"\n');
  expect(stdout).toContain('            says      plan free: refused by "calls"\n');
  expect(stdout).toContain('answer    429   by shop/chain#month   quota_exceeded\n');
});

test('attempts at an upstream that fails, each with its endpoint', async () => {
  const fields = ['-H', 'x-api-key: acme-key', '--upstream-status', '503'];
  const { stdout } = await weir('GET', 'http://checkout.example.com/v1/cart', ...fields, ...SHOP);
  expect(stdout.match(/shop\/checkout {3}10\.0\.0\.[12]:9001/g)).toHaveLength(3);
  expect(stdout).toContain('answer    503   by the upstream   via_upstream   flags URX');
});

test.each<[string, string, string, string | RegExp, string[]?]>([
  [
    'no route',
    'POST',
    'http://checkout.example.com/beta?user=x',
    'not shop/checkout#beta: query parameter user is "x", it wants query parameter user matches [0-9]+',
  ],
  [
    'a hostname of no route',
    'GET',
    'http://x.example.com/',
    'route     none has the hostname x.example.com; there are: checkout.example.com',
  ],
  [
    'a hostname of no listener',
    'GET',
    'http://example.org/',
    'listener  none on 0.0.0.0:8080/http has the hostname example.org; there are: admin.example.com, *.example.com\n',
  ],
  [
    'one of several backends',
    'GET',
    'http://shop.example.com/cart',
    /^upstream {2}default\/shop(-next {3}10\.0\.0\.2:9000 {3}by chance: 10| {3}10\.0\.0\.1:9000 {3}by chance: 90) of 100$/m,
    ['-f', 'policies/canary'],
  ],
  ['a redirect', 'GET', 'http://checkout.example.com/old/x', 'answer    301   by weir   redirect\n'],
  [
    'a target that is refused',
    'GET',
    'http://checkout.example.com/a%00b',
    'answer    400   by weir   bad_path\n',
  ],
])(
  '%s',
  async (_: string, method: string, url: string, expected: string | RegExp, files: string[] = SHOP) => {
    const { stdout, code } = await weir(method, url, ...files);
    expect(code).toBe(0);
    if (typeof expected === 'string') expect(stdout).toContain(expected);
    else expect(stdout).toMatch(expected);
  },
);

test('-o json has the same as data', async () => {
  const { stdout } = await weir('GET', 'http://checkout.example.com/v1/cart', ...SHOP, '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject({
    status: 401,
    repliedBy: 'shop/checkout#who',
    route: { listener: 'shop/edge/shop', winner: { rule: 'shop/checkout#api' } },
    upstreams: [],
  });
});

test('lines of a code fit a terminal of 80 columns', async () => {
  const { stdout } = await weir('WEIR1001');
  expect(stdout.split('\n').length).toBeGreaterThan(6);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a code of an error is explained, one that is none is refused', async () => {
  expect((await weir('WEIR1201')).stdout).toContain('the module file cannot be read');
  const unknown = await weir('WEIR1299');
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toMatch(
    /there is no code WEIR1299; did you mean WEIR1\d+\?\n\(weir explain --help /,
  );
});

test.each([
  [['GET', 'http://checkout.example.com/'], 2, '-f PATH… is missing'],
  [['GET', 'checkout.example.com', ...SHOP], 2, 'Write the scheme and the host too'],
  [['http://checkout.example.com/', ...SHOP], 2, 'a method is missing: weir explain GET http://checkout'],
  [
    ['GET', 'http://checkout.example.com:99/', ...SHOP],
    1,
    'No listener takes this URL. There are: http 0.0.0.0:8080.',
  ],
  [['GET', 'http://a.test/', '-f', 'test/golden/faults-merge.in.yaml'], 1, 'error WEIR2003'],
])('%j is refused with a reason', async (args, code, reason) => {
  const result = await weir(...args);
  expect(result.code).toBe(code);
  expect(result.stderr).toContain(reason);
});
