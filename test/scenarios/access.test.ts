// No spelling of a path, a host or a field gets a request to an upstream that a policy denies. What the upstream saw is
// read as the most careless server would.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeUpstream, type UpstreamRequest } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange } from '../support/raw-client.ts';

const shop = (port: number, upstream: number, listener: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, port: ${port}, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstream}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: denied}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  action: DENY
  rules:
  - {name: path, to: [{paths: [{type: PathPrefix, value: /admin}]}]}
  - {name: host, to: [{hosts: [secret.test]}]}
  - {name: field, when: [{header: x-role, values: [admin]}]}
---
apiVersion: policy.weir/v1alpha1
kind: ListenerPolicy
metadata: {name: edge}
spec: {targetRefs: [{kind: Gateway, name: edge}], ${listener}}
`;

/** What a server could make of the path that decodes, merges slashes, leaves parameters out and resolves dots. */
function carelessPath(target: string): string {
  const [path] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?') as [string];
  const decoded = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const out: string[] = [];
  for (const segment of decoded.replaceAll('\\', '/').split('/')) {
    const name = segment.replace(/;.*$/s, '');
    if (name === '..') out.pop();
    else if (name !== '' && name !== '.') out.push(name);
  }
  return `/${out.join('/')}`;
}

/** Why the upstream must not have seen the request; null: it may. */
function reasonAgainst({ target, fields }: UpstreamRequest): string | null {
  if (/^\/admin(\/|$)/.test(carelessPath(target))) return `the path ${target}`;
  for (const [name, value] of fields) {
    const folded = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
    if (folded === 'host' && /^secret\.test\.?(:|$)/i.test(value)) return `the host ${value}`;
    if (folded === 'x-role' && value.split(',').some((each) => each.trim() === 'admin'))
      return `the field ${name}: ${value}`;
  }
  return null;
}

const SEGMENTS = [
  ...[
    'admin',
    '%61dmin',
    'adm%69n',
    '%61%64%6D%69%6e',
    'Admin',
    'admin;x=1',
    'admin;',
    ';admin',
    'admin%3Bx',
  ],
  ...[
    'a',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '.%2e',
    '..;',
    'a%2F..%2Fadmin',
    '..%2Fadmin',
    'admin%5Cx',
    'a%2fb',
    '%C3%A9',
    '',
  ],
];
const path = fc
  .array(fc.tuple(fc.constantFrom('/', '/', '/', '//', '/./', '%2F', '\\'), fc.constantFrom(...SEGMENTS)), {
    minLength: 1,
    maxLength: 4,
  })
  .map(
    (parts) =>
      `/${parts
        .map(([slash, segment]) => slash + segment)
        .join('')
        .replace(/^\//, '')}`,
  );
const host = fc.constantFrom(
  ...Array<string>(12).fill('open.test'),

  'open.test',
  'secret.test',
  'SECRET.test',
  'secret.test.',
  'Secret.Test:80',
  'secret.test.:80',
);
const field = fc.tuple<[string, string]>(
  fc.constantFrom('X-Role', 'x-role', 'X_Role', 'x.role', 'X-ROLE'),
  fc.constantFrom('admin', 'user', 'user, admin', 'admin,user', '  admin', 'ADMIN'),
);
const request = fc
  .record({
    path,
    host,
    fields: fc.oneof(
      { weight: 3, arbitrary: fc.constant<[string, string][]>([]) },
      fc.array(field, { maxLength: 2 }),
    ),
    absolute: fc.boolean(),
    query: fc.constantFrom('', '?a=b', '?/../admin'),
    other: host,
  })
  .map(({ path: where, host: name, fields, absolute, query, other }) => {
    const target = absolute ? `http://${name}${where}${query}` : `${where}${query}`;
    // In absolute form the host of the target counts, whatever Host says.
    const lines = fields.map((each) => each.join(': '));
    return [
      `GET ${target} HTTP/1.1`,
      `Host: ${absolute ? other : name}`,
      ...lines,
      'Connection: close',
      '',
      '',
    ].join('\r\n');
  });

test.each([
  ['as strict as it is by default', 'trustedHops: 0'],
  [
    'that lets through what it can',
    'path: {escapedSlashes: Keep, backslash: Decode, mergeSlashes: false}, headers: {underscores: Allow}',
  ],
])(
  'behind a listener %s no spelling gets past what is denied',
  async (_what, listener) => {
    const upstream = await FakeUpstream.start();
    const port = await freePort();
    await Weir.start({ files: { 'edge.yaml': shop(port, upstream.port, listener) } });
    let passed = 0;
    let denied = 0;
    await fc.assert(
      fc.asyncProperty(request, async (raw) => {
        const before = upstream.requests.length;
        const { status } = await exchange({ port }, raw);
        if (status === 403) denied++;
        for (const seen of upstream.requests.slice(before)) {
          passed++;
          expect(reasonAgainst(seen), raw).toBeNull();
        }
      }),
      { numRuns: 400 },
    );
    // Else the property would say nothing.
    expect(passed).toBeGreaterThan(10);
    expect(denied).toBeGreaterThan(50);
  },
  60_000,
);
