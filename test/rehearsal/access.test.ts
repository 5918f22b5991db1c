// AccessPolicies through the engine, from their text to who decided.
import { expect, test } from 'vitest';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { explain, explanationText } from '../../src/explain/explanation.ts';
import { Rehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseUrl, portFor, rehearsedRequest } from '../../src/rehearsal/request.ts';

const SHOP = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - {name: health, matches: [{path: {value: /health}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: 9000}]}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: shape, use: headers, config: {request: {set: {x-shaped: yes}}}}
  - {name: who, use: api-key, config: {from: [{header: x-api-key}], keys: [{name: ann, key: k1}, {name: bob, key: k2}]}}
  - {name: rps, use: rate-limit, config: {key: [consumer.name], limit: {requests: 100, per: 1s}}}
`;

const policy = (name: string, target: string, spec: string): string => `
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: ${name}}
spec:
  targetRefs: [{${target}}]
${spec}
`;
const GATEWAY = 'kind: Gateway, name: edge';
const ROUTE = 'kind: HTTPRoute, name: shop';
const HEALTH = `${ROUTE}, sectionName: health`;

const ignore = (): void => undefined;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

async function load(text: string) {
  const parsed = parseText('shop.yaml', SHOP + text);
  return loadDocuments(parsed.documents, new FileReader(), parsed);
}

/** Sends requests as `GET /path key`. */
async function open(text: string) {
  const { snapshot, code, diagnostics } = await load(text);
  if (snapshot === null) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  const rehearsal = await Rehearsal.open(snapshot, code, SILENT);
  return {
    async send(line: string) {
      const [method, path, key] = line.split(' ') as [string, string, string];
      const url = parseUrl(`http://shop.test${path}`)!;
      const headers = [['x-api-key', key]] as const;
      const request = rehearsedRequest({ method, url, headers, body: Buffer.alloc(0), client: '127.0.0.1' });
      const port = portFor(snapshot, url)!;
      const rehearsed = await rehearsal.send(port, request);
      return {
        ...rehearsed,
        explanation: explain(snapshot, port, rehearsed.trace, rehearsed.answer?.status ?? 0),
      };
    },
    close: () => rehearsal.close(),
  };
}

/** The answer to each request: 200, or the rule that refused it. */
async function decisions(text: string, lines: readonly string[]): Promise<(string | number)[]> {
  const { send, close } = await open(text);
  const all: (string | number)[] = [];
  for (const line of lines) {
    const { trace, answer } = await send(line);
    all.push(answer?.status === 200 ? 200 : trace.decidedBy!.replace('AccessPolicy/default/', ''));
  }
  await close();
  return all;
}

async function faults(text: string): Promise<string[]> {
  const { diagnostics } = await load(text);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  return errors.map(({ code, message }) => `${code} ${message}`);
}

const ANN_READS = `  rules: [{name: read, from: [{consumers: [ann]}], to: [{methods: [GET]}]}]`;
const DENY_ADMIN = `  action: DENY
  rules: [{name: admin, to: [{paths: [{type: PathPrefix, value: /admin}]}]}]`;

test('decides behind filters that find out who asks, and in front of those of later phases', async () => {
  const { send, close } = await open(policy('read', GATEWAY, ANN_READS));
  const { trace, explanation } = await send('GET /a k1');
  expect(trace.chain.map(({ filter }) => filter)).toEqual([
    'default/chain#shape',
    'default/chain#who',
    'default/read#access',
    'default/chain#rps',
  ]);
  expect(explanation.access).toMatchObject([{ allowed: true, rule: 'AccessPolicy/default/read#read' }]);
  await close();
});

test('what the Gateway allows, a route adds to', async () => {
  const text =
    policy('outer', GATEWAY, ANN_READS) + policy('inner', ROUTE, '  rules: [{to: [{methods: [PUT]}]}]');
  const lines = ['GET /a k1', 'PUT /a k2', 'GET /a k2'];
  expect(await decisions(text, lines)).toEqual([200, 200, 'inner#default']);
});

test('what the Gateway allows and enforces, a route can only narrow', async () => {
  const text =
    policy('outer', GATEWAY, `  enforced: true\n${ANN_READS}`) +
    policy('inner', ROUTE, '  rules: [{name: some, to: [{paths: [{value: /a}]}]}]');
  const lines = ['GET /a k1', 'GET /a k2', 'GET /b k1', 'PUT /a k1'];
  expect(await decisions(text, lines)).toEqual([200, 'outer#default', 'inner#default', 'outer#default']);
});

test('what the Gateway denies, a route cannot allow', async () => {
  const text =
    policy('outer', GATEWAY, DENY_ADMIN) +
    policy('inner', ROUTE, '  default: Allow') +
    policy('all', HEALTH, '  rules: [{}]');
  expect(await decisions(text, ['GET /admin k1', 'GET /a k1'])).toEqual(['outer#admin', 200]);
});

test('the innermost default counts, and requests without a route have that of their Gateway', async () => {
  const text = policy('outer', GATEWAY, '  default: Deny') + policy('open', HEALTH, '  default: Allow');
  expect(await decisions(text, ['GET /health k1', 'GET /a k1'])).toEqual([200, 'outer#default']);
});

test('a default that is enforced is not changed inside', async () => {
  const text =
    policy('outer', GATEWAY, '  enforced: true\n  default: Deny') +
    policy('open', HEALTH, '  default: Allow');
  expect(await faults(text)).toEqual([
    'WEIR2004 default is enforced by AccessPolicy default/outer (Deny) and cannot be changed to Allow',
  ]);
  const alone =
    policy('outer', GATEWAY, '  enforced: true\n  default: Deny') + policy('inner', ROUTE, ANN_READS);
  expect(await decisions(alone, ['GET /a k1', 'GET /a k2'])).toEqual([200, 'outer#default']);
});

test('two defaults for one target are a fault', async () => {
  const text = policy('a', GATEWAY, '  default: Deny') + policy('b', GATEWAY, '  default: Allow');
  expect(await faults(text)).toEqual(['WEIR2003 both set default on Gateway default/edge (Deny, Allow)']);
});

test('a policy with dryRun decides nothing, and its default neither', async () => {
  const text = policy('outer', GATEWAY, `  dryRun: true\n  default: Deny\n${DENY_ADMIN}`);
  const { send, close } = await open(text);
  for (const [line, rule] of [
    ['GET /admin k1', 'admin'],
    ['GET /a k1', 'default'],
  ] as const) {
    const { answer, trace } = await send(line);
    expect(answer?.status).toBe(200);
    expect(trace.access).toMatchObject([
      { allowed: true, rule: '', tried: `AccessPolicy/default/outer#${rule}` },
    ]);
  }
  await close();
});

test('explains who allowed and who refused, and the nearest that did not match', async () => {
  const text =
    policy('base', GATEWAY, `  default: Deny\n${DENY_ADMIN}`) +
    policy(
      'orders',
      ROUTE,
      `  rules:
  - {name: read, from: [{consumers: [ann]}], to: [{methods: [GET], paths: [{type: Template, value: '/orders/{id}'}]}]}
  - {name: env, to: [{methods: [PUT]}], when: [{header: x-env, values: [prod, stage]}]}`,
    );
  const { send, close } = await open(text);
  const told = async (line: string): Promise<string[]> => {
    const lines = explanationText((await send(line)).explanation).split('\n');
    const at = lines.findIndex((each) => each.startsWith('access'));
    return lines.slice(at, lines[at + 1]!.startsWith(' ') ? at + 2 : at + 1).map((each) => each.slice(10));
  };
  expect((await told('GET /orders/7 k1'))[0]).toMatch(
    /^allowed by AccessPolicy\/default\/orders#read {3}shop\.yaml:\d+:\d+$/,
  );
  expect((await told('GET /orders/7 k2'))[0]).toMatch(
    /^denied by AccessPolicy\/default\/base#default {3}shop/,
  );
  const nearest = async (line: string) => (await told(line))[1]?.replace(/ {3}shop\.yaml:\d+:\d+$/, '');
  expect(await nearest('GET /orders/7 k2')).toBe(
    'not AccessPolicy/default/orders#read: consumer is bob, it wants consumers ann',
  );
  expect(await nearest('POST /orders/7 k1')).toBe(
    'not AccessPolicy/default/orders#read: method is POST, it wants methods GET',
  );
  expect(await nearest('GET /order k1')).toBe(
    'not AccessPolicy/default/orders#read: path is /order, it wants paths Template /orders/{id}',
  );
  expect(await nearest('PUT /a k1')).toBe(
    'not AccessPolicy/default/orders#env: when[0] does not hold, it wants header x-env prod, stage',
  );
  expect(await told('GET /admin k1')).toHaveLength(1);
  await close();
});

test.each([
  ['  rules: [{name: default}]', 'WEIR1044', 'must not be "default"'],
  ['  rules: [{name: a}, {name: a}]', 'WEIR1046', 'another rule is called "a"'],
  ['  action: DENY', 'WEIR1046', 'DENY without rules does nothing'],
  ['  default: Allow\n  rules: [{}]', 'WEIR1046', 'pointless'],
  ['  rules: [{from: [{}]}]', 'WEIR1046', 'must have a field'],
  ['  rules: [{from: [{consumer: [a]}]}]', 'WEIR1042', 'unknown field "consumer"'],
  ['  rules: [{from: [{consumers: ["a*b"]}]}]', 'WEIR1044', 'at one end alone'],
  ['  rules: [{from: [{ipBlocks: [10.0.0.1/8]}]}]', 'WEIR1044', 'bits behind its prefix'],
  ['  rules: [{from: [{ipBlocks: ["2001:db8::1/32"]}]}]', 'WEIR1044', 'bits behind its prefix'],
  ['  rules: [{from: [{ipBlocks: [10.0.0]}]}]', 'WEIR1044', 'an address or a block'],
  ['  rules: [{to: [{paths: [{value: admin}]}]}]', 'WEIR1044', 'must begin with "/"'],
  ['  rules: [{to: [{paths: [{value: /a/%2e%2E/b}]}]}]', 'WEIR1044', 'dot segments'],
  ['  rules: [{to: [{paths: [{type: Template, value: "/a{b}"}]}]}]', 'WEIR1044', 'whole segments'],
  ['  rules: [{to: [{paths: [{type: RegularExpression, value: "/a["}]}]}]', 'WEIR1044', 'regular expression'],
  ['  rules: [{to: [{hosts: [Shop.test]}]}]', 'WEIR1044', 'lower-case host'],
  ['  rules: [{when: [{header: a, query: b, values: [c]}]}]', 'WEIR1046', 'exactly one of'],
  ['  rules: [{when: [{header: a}]}]', 'WEIR1046', 'one of values and notValues'],
  ['  rules: [{when: [{expression: "a +"}]}]', 'WEIR1044', 'CEL expression'],
  ['  action: Deny\n  rules: [{}]', 'WEIR1043', 'DENY'],
])('refuses %s', async (spec, code, message) => {
  const found = (await faults(policy('a', GATEWAY, spec))).filter((each) => each.startsWith(code));
  expect(found.join('\n')).toContain(message);
});

test('what only a request has is refused for a route of connections', async () => {
  const tcp = policy('a', 'kind: TCPRoute, name: none', '  rules: [{to: [{methods: [GET]}]}]');
  expect((await faults(tcp)).join('\n')).toMatch(/WEIR1046 .*methods must not be set for a TCPRoute/);
});
