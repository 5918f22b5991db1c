// A running weir explains single requests of its clients.
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explanationText } from '../../src/explain/explanation.ts';
import { Explaining } from '../support/explaining.ts';
import { FakeUpstream, hang } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, run, Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { guest } from '../support/wasm-guest.ts';

const BIN = fileURLToPath(new URL('../../bin/weir', import.meta.url));
const KEY = 'k1-Zk9sVbQ2';

/** Says why. */
const talker = guest({
  proxy_on_vm_start: (s) => s.return(1),
  proxy_on_configure: (s) => s.return(1),
  proxy_on_request_headers: (s) => s.return(0),
  weir_on_explain: (s) =>
    s.call('proxy_set_property', s.text('explanation'), s.text(`it is a request\nof ${KEY}`)),
});

const configuration = (port: number, upstreamPort: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: ${port}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - {name: health, matches: [{path: {value: /health}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: paid, matches: [{path: {value: /paid}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstreamPort}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: talker}
spec: {source: {file: talker.wasm}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: who, use: api-key, config: {from: [{header: x-api-key}], keys: [{name: ann, key: ${KEY}}]}}
  - {name: talker, use: module/talker}
  - {name: shape, use: headers, config: {request: {set: {x-shaped: yes}}}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: paid}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: paid}]
  filters:
  - {name: month, use: quota, config: {quotas: [{name: calls, limit: 9}], charge: {on: response}}}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: reads}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  action: ALLOW
  rules:
  - {name: read, to: [{methods: [GET]}]}
  - {name: bob, from: [{consumers: [bob]}]}
`;

let upstream: FakeUpstream;
let weir: Weir;
let port: number;

const send = (method: string, path: string, ...fields: string[]) =>
  exchange({ port }, getRequest(path, 'shop.test', 'Connection: close', ...fields).replace(/^GET/, method));
const get = (path: string, ...fields: string[]) => send('GET', path, ...fields);
const command = (...args: string[]) => run(process.execPath, [BIN, 'explain', ...args]);
const live = (...args: string[]) => command('--live', '--admin', `127.0.0.1:${weir.adminPort}`, ...args);
/** What the upstream got last. */
const arrived = () =>
  new Map(upstream.requests.at(-1)!.fields.map(([name, value]) => [name.toLowerCase(), value]));

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  port = await freePort();
  weir = await Weir.start({
    workers: 2,
    files: { 'all.yaml': configuration(port, upstream.port), 'talker.wasm': talker },
  });
});
afterAll(() => weir.stop());

describe('weir explain --live', () => {
  test.each([
    ['GET', '/v1/cart', `x-api-key: ${KEY}`],
    ['POST', '/v1/cart', `x-api-key: ${KEY}`],
    ['GET', '/health', 'x-other: 1'],
    ['GET', '/../a', `x-api-key: ${KEY}`],
  ])('says of %s %s with %s what it says offline', async (method, path, field) => {
    const there = ['--connect-to', `127.0.0.1:${port}`];
    const request = [method, `http://shop.test:${port}${path}`, '-H', field];
    const [running, offline] = await Promise.all([
      live(...request, ...there),
      command(...request, '-f', weir.folder),
    ]);
    expect(running.stderr).toBe('');
    expect(running.code).toBe(0);
    expect(running.stdout).toBe(offline.stdout.replaceAll(KEY, '[redacted]'));
    expect(offline.stdout).toMatch(/^answer {4}\d{3}/m);
  });

  test('prints a field for others to send, and explains their requests', async () => {
    const admin = `127.0.0.1:${weir.adminPort}`;
    const args = ['explain', '--live', '--admin', admin, '--for', '30s', '--count', '2', '-o', 'json'];
    const running = new Program(process.execPath, [BIN, ...args]);
    const field = await running.waitFor(/x-weir-explain: \S+/);
    expect((await get('/one', field, `x-api-key: ${KEY}`)).status).toBe(200);
    expect((await get('/two', field)).status).toBe(401);
    expect((await running.exited).code).toBe(0);
    const explained = JSON.parse(`[${running.stdout.replaceAll('\n}\n{', '\n},\n{')}]`) as {
      status: number;
    }[];
    expect(explained.map(({ status }) => status).sort()).toEqual([200, 401]);
  });

  test('says so where weir does not see the request', async () => {
    const { stderr, code } = await live('GET', `http://127.0.0.1:${upstream.port}/`);
    expect(code).toBe(1);
    expect(stderr).toContain('the answer is 200, and the weir at');
    expect((await live('GET', `http://127.0.0.1:${await freePort()}/`)).stderr).toContain('ECONNREFUSED');
  });
});

describe('the token', () => {
  test('is gone before anything looks at the request, and a second one goes on to the next weir', async () => {
    const [first, second] = [await Explaining.start(weir), await Explaining.start(weir)];
    await get('/', `x-weir-explain: ${first.token}`, `x-api-key: ${KEY}`);
    expect(arrived().has('x-weir-explain')).toBe(false);
    expect((await first.next())!.sent.map(([name]) => name)).not.toContain('x-weir-explain');
    expect(await first.next()).toBeNull();

    const third = await Explaining.start(weir);
    await get('/', `x-weir-explain: ${second.token}, ${third.token}`, `x-api-key: ${KEY}`);
    expect(arrived().get('x-weir-explain')).toBe(third.token);
    expect((await second.next())!.status).toBe(200);
    third.leave();
  });

  test('that nobody signed is a field like others', async () => {
    const session = await Explaining.start(weir);
    const forged = session.token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    await get('/', `x-weir-explain: ${forged}`, `x-api-key: ${KEY}`);
    expect(arrived().get('x-weir-explain')).toBe(forged);
    await get('/right', session.field, `x-api-key: ${KEY}`);
    expect((await session.next())!.route!.winner!.rule).toBe('default/shop#all');
    expect(await session.next()).toBeNull();
  });

  test('is for so many requests, and for as long as somebody reads', async () => {
    const session = await Explaining.start(weir, 'count=2&for=30s');
    for (let i = 0; i < 4; i++) await get(`/${i}`, session.field, `x-api-key: ${KEY}`);
    const all = [await session.next(), await session.next(), await session.next()];
    expect(all.filter((each) => each !== null)).toHaveLength(2);

    const left = await Explaining.start(weir, 'count=100&for=30s');
    left.leave();
    await expect
      .poll(async () => {
        await get('/', left.field, `x-api-key: ${KEY}`);
        return arrived().get('x-weir-explain');
      })
      .toBe(left.token);
  });
});

describe('an explanation', () => {
  test('has none of the credentials, wherever they stand', async () => {
    const session = await Explaining.start(weir, 'count=1&redact=x-session');
    const secrets = ['Zm9vOmJhcg1', 'c00kieSecret9', 'queryToken77', 'sessi0nValue4'];
    const [basic, cookie, query, own] = secrets as [string, string, string, string];
    await get(
      `/a?access_token=${query}`,
      session.field,
      `x-api-key: ${KEY}`,
      `Authorization: Bearer ${basic}`,
      `Cookie: sid=${cookie}`,
      `X-Session: ${own}`,
      `X-Copy: ${own}`,
      'X-Plain: seen',
    );
    const text = JSON.stringify(await session.next());
    for (const secret of [KEY, ...secrets]) expect(text).not.toContain(secret);
    expect(text).toContain('seen');
  });

  test('has what a filter says of itself', async () => {
    const session = await Explaining.start(weir);
    await get('/', session.field, `x-api-key: ${KEY}`);
    expect(explanationText((await session.next())!)).toMatch(
      /chain#talker +continued .*\n +says +it is a request\n +says +of \[redacted\]\n/,
    );
  });

  test('has what a filter says that waited for its decision', async () => {
    const session = await Explaining.start(weir);
    await get('/paid', session.field, `x-api-key: ${KEY}`);
    expect(explanationText((await session.next())!)).toMatch(
      /paid#month +continued .*\n +says +"calls";r=8;t=\d+\n/,
    );
  });

  test('tells of a request whose client has gone', async () => {
    const session = await Explaining.start(weir);
    upstream.script(hang());
    const before = upstream.total;
    const client = connect(port, '127.0.0.1');
    client.write(getRequest('/slow', 'shop.test', session.field, `x-api-key: ${KEY}`));
    await upstream.waitForRequests(before + 1);
    client.resetAndDestroy();
    expect(await session.next()).toMatchObject({
      status: 0,
      flags: 'DC',
      upstreams: [{ cluster: 'default/shop' }],
    });
  });
});
