import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { echo, FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder, Weir } from '../support/process.ts';
import { RateLimitStandIn, status } from '../support/rate-limit-server.ts';
import { exchange, getRequest } from '../support/raw-client.ts';

interface Place {
  readonly name: string;
  readonly port: number;
  readonly config: object;
}

/** One weir with a listener for each place; all ask the service at `servicePort`. */
async function start(servicePort: number, upstreamPort: number, places: readonly Place[]): Promise<void> {
  const object = (kind: string, name: string, spec: object): string =>
    JSON.stringify({
      apiVersion: /Route|Gateway/.test(kind) ? 'gateway.networking.k8s.io/v1' : 'policy.weir/v1alpha1',
      kind,
      metadata: { name },
      spec,
    });
  const upstream = (name: string, port: number): string =>
    object('Upstream', name, { endpoints: { static: [{ address: '127.0.0.1', port }] } });
  const all = [
    object('Gateway', 'edge', {
      listeners: places.map(({ name, port }) => ({ name, port, protocol: 'HTTP' })),
    }),
    object('HTTPRoute', 'all', {
      parentRefs: [{ name: 'edge' }],
      rules: [{ backendRefs: [{ group: 'policy.weir', kind: 'Upstream', name: 'app' }] }],
    }),
    upstream('app', upstreamPort),
    upstream('limits', servicePort),
    ...places.map(({ name, config }) =>
      object('FilterChain', name, {
        targetRefs: [{ kind: 'Gateway', name: 'edge', sectionName: name }],
        filters: [
          {
            name: 'ask',
            use: 'rate-limit-service',
            callouts: [{ name: 'limits' }],
            config: {
              upstream: 'limits',
              domain: 'shop',
              timeout: '5s',
              descriptors: [{ entries: [{ key: 'user', attribute: 'request.headers.x-user' }] }],
              ...config,
            },
          },
        ],
      }),
    ),
  ];
  await Weir.start({ files: { 'all.yaml': all.join('\n---\n') }, workers: 2 });
}

const send = (port: number, user: string) =>
  exchange({ port }, getRequest('/', 'shop.test', `X-User: ${user}`));

test('a service that weir did not write: asked, obeyed, and where it is gone each place does what it says', async () => {
  const upstream = await FakeUpstream.start({ behaviour: echo() });
  const service = await RateLimitStandIn.start();
  service.decide = ({ descriptors }) =>
    descriptors[0]!.entries[0]!.value === 'ann'
      ? {
          overall_code: 'OK',
          statuses: [status('OK', 4)],
          request_headers_to_add: [{ key: 'x-tier', value: 'gold' }],
        }
      : { overall_code: 'OVER_LIMIT', statuses: [status('OVER_LIMIT', 0)], raw_body: Buffer.from('later') };
  const local = { requests: 3, per: '1h' };
  const descriptors = [{ entries: [{ key: 'user', attribute: 'request.headers.x-user' }], local }];
  const [closed, open, own] = [await freePort(), await freePort(), await freePort()];
  await start(service.port, upstream.port, [
    { name: 'closed', port: closed, config: { xHeaders: true } },
    { name: 'open', port: open, config: { onServiceFailure: 'Allow' } },
    { name: 'own', port: own, config: { onServiceFailure: 'Local', descriptors } },
  ]);

  const passed = await send(closed, 'ann');
  expect(passed.status).toBe(200);
  expect(passed.header('ratelimit')).toBe('"user";r=4;t=31');
  expect(passed.header('x-ratelimit-remaining')).toBe('4');
  expect(upstream.requests[0]!.fields).toContainEqual(['x-tier', 'gold']);
  const refused = await send(closed, 'bea');
  expect([refused.status, refused.text, refused.header('retry-after')]).toEqual([429, 'later', '31']);
  expect(service.asked).toEqual(['shop[user=ann]', 'shop[user=bea]']);

  service.stop();
  expect((await send(closed, 'ann')).status).toBe(503);
  expect((await send(open, 'bea')).status).toBe(200);
  // Both workers count together.
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push((await send(own, 'ann')).status);
  expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
  expect((await send(own, 'bea')).status).toBe(200);
});

test('weir ratelimit is such a service', async () => {
  const upstream = await FakeUpstream.start({ behaviour: echo() });
  const file = join(await temporaryFolder(), 'limits.yaml');
  await writeFile(
    file,
    `apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: shop, namespace: shop}
spec:
  domain: shop
  limits: [{descriptor: [{key: user}], limit: {requests: 2, per: 24h}}]
`,
  );
  const servicePort = await freePort();
  const program = new Program(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['ratelimit', '-f', file, '--listen', `127.0.0.1:${servicePort}`],
  ]);
  await program.waitFor('"serving"');
  const port = await freePort();
  await start(servicePort, upstream.port, [{ name: 'all', port, config: {} }]);
  const answers = [];
  for (const user of ['ann', 'ann', 'ann', 'bea']) answers.push(await send(port, user));
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429, 200]);
  expect(answers[0]!.header('ratelimit-policy')).toBe('"user";q=2;w=86400');
  expect(answers[0]!.header('ratelimit')).toMatch(/^"user";r=1;t=\d+$/);
  expect(Number(answers[2]!.header('retry-after'))).toBeGreaterThan(0);
});
