import { expect, test } from 'vitest';
import { edge } from '../support/edge.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';

const keys = (port: number, upstreamPort: number, key: string): string => `
${edge({ port, upstreamPort })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: keys}
spec:
  targetRefs: [{kind: HTTPRoute, name: all}]
  filters: [{name: who, use: api-key, config: {from: [{header: x-key}], keys: [{name: ann, key: ${key}}]}}]
`;
const cases = (port: number, status: number, more = ''): string => `
apiVersion: policy.weir/v1alpha1
kind: PolicyTest
metadata: {name: keys}
spec:
  cases:
  - name: the key of ann
    request: {url: 'http://h:${port}/', headers: {x-key: a-key-of-ann}}
    expect: {status: ${status}}
  - name: no key
    request: {url: 'http://h:${port}/'}
    expect: {status: 401}
${more}`;

test('a configuration whose PolicyTests fail does not come in force, and what served goes on', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const weir = await Weir.start({
    files: { 'edge.yaml': keys(port, upstream.port, 'a-key-of-ann'), 'tests.yaml': cases(port, 200) },
    args: ['--require-tests'],
    workers: 1,
  });
  const status = async (key: string): Promise<number> =>
    (await exchange({ port }, getRequest('/', 'h', `X-Key: ${key}`, 'Connection: close'))).status;
  expect(await status('a-key-of-ann')).toBe(200);

  await weir.write('edge.yaml', keys(port, upstream.port, 'a-key-of-eve'));
  await weir.waitFor(/WEIR4008 .*PolicyTest default\/keys: the key of ann/);
  expect(weir.output).toMatch(/tests\.yaml:7:\d+ +error WEIR4008/);
  expect(weir.output).toContain('status: expected 200, got 401');
  expect([await status('a-key-of-ann'), await status('a-key-of-eve')]).toEqual([200, 401]);

  // The configuration as it is now is right where the tests are changed with it.
  await weir.write('tests.yaml', cases(port, 401));
  await expect.poll(() => status('a-key-of-eve')).toBe(200);
  expect(await status('a-key-of-ann')).toBe(401);

  // Without tests nothing is required that could pass.
  await weir.write('tests.yaml', '# none\n');
  await weir.write('edge.yaml', keys(port, upstream.port, 'a-key-of-zoe'));
  await weir.waitFor(/WEIR4008 .*there is no PolicyTest/);
  expect(await status('a-key-of-eve')).toBe(200);
  await weir.stop();
});
