/** Requests that say one thing in many ways, and what the most careless server would read from them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { makeSigner, makeToken } from '../filters/jwt/tokens.ts';
import { FakeUpstream, type UpstreamRequest } from './fake-upstream.ts';
import { freePort } from './ports.ts';
import { Weir } from './process.ts';
import { exchange } from './raw-client.ts';

const KEY = 'key-of-ops';

/** @param listener fields of a ListenerPolicy's spec, in YAML's flow style */
const gateway = (port: number, upstream: number, listener: string, key: object): string => `
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
  rules:
  - {name: private, matches: [{path: {value: /private}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: member, matches: [{path: {value: /member}}], backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
  - {name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: closed}
spec:
  parentRefs: [{name: edge}]
  hostnames: [closed.test]
  rules: [{backendRefs: [{group: policy.weir, kind: Upstream, name: shop}]}]
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
  - {name: method, to: [{methods: [DELETE]}]}
  - {name: field, when: [{header: x-role, values: [admin]}]}
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: closed}
spec:
  targetRefs: [{kind: HTTPRoute, name: closed}]
  rules: [{name: public, to: [{paths: [{type: PathPrefix, value: /public}]}]}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: key}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: private}]
  filters:
  - name: key
    use: api-key
    config: {from: [{header: x-key}], keys: [{name: ops, key: ${KEY}}], consumerHeader: x-consumer}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: token}
spec:
  targetRefs: [{kind: HTTPRoute, name: shop, sectionName: member}]
  filters:
  - name: token
    use: jwt
    config:
      providers:
      - name: id
        issuer: https://id.test
        jwks: {keys: [${JSON.stringify(key)}]}
        claimsToHeaders: [{claim: sub, header: x-consumer}]
---
apiVersion: policy.weir/v1alpha1
kind: ListenerPolicy
metadata: {name: edge}
spec: {targetRefs: [{kind: Gateway, name: edge}], ${listener}}
`;

/** Bytes that careless decoders of UTF-8 take for one letter of ASCII. */
const OVERLONG = /[\xc0\xc1][\x80-\xbf]|\xe0[\x80\x81][\x80-\xbf]|\xf0\x80[\x80\x81][\x80-\xbf]/g;

/** What servers could make of a path that decode, once or twice, merge slashes, leave parameters out and resolve dots. */
function carelessPaths(target: string): string[] {
  const [path] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?') as [string];
  const once = decoded(path);
  const twice = decoded(once);
  const texts = [path, once, twice].flatMap((text) => [text, text.replaceAll(OVERLONG, lastBits)]);
  return [...texts, ...texts.map((text) => text.replace(/[?#\0].*$/s, ''))].map(resolved);
}

function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function lastBits(bytes: string): string {
  return String.fromCharCode(((bytes.at(-2)!.charCodeAt(0) & 1) << 6) | (bytes.at(-1)!.charCodeAt(0) & 0x3f));
}

function resolved(path: string): string {
  const out: string[] = [];
  for (const segment of path.replaceAll('\\', '/').split('/')) {
    const name = segment.replace(/;.*$/s, '');
    if (name === '..') out.pop();
    else if (name !== '' && name !== '.') out.push(name);
  }
  return `/${out.join('/')}`;
}

/** RFC 3986, section 6.2.2: what the same path is for everybody. */
function normalPath(target: string): string {
  const [path] = target.split('?') as [string];
  const plain = path.replaceAll(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const byte = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(byte) ? byte : escape.toUpperCase();
  });
  const out: string[] = [];
  for (const segment of plain.split('/').slice(1)) {
    if (segment === '..') out.pop();
    else if (segment !== '.') out.push(segment);
  }
  return `/${out.join('/')}`;
}

/** Why the upstream must not have seen the request that `sent` is the text of; null: it may. */
function reasonAgainst(
  seen: UpstreamRequest,
  sent: string,
  token: string,
  removesParameters: boolean,
): string | null {
  const { method, target } = seen;
  const careless = carelessPaths(target);
  if (careless.some((path) => /^\/admin(\/|$)/.test(path))) return `the path ${target}`;
  // Then there are none that a server could leave out itself, and the chains of /private and /member take what it reads.
  if (removesParameters && target.replace(/\?.*$/s, '').includes(';')) return `the parameters of ${target}`;
  if (method.toUpperCase() === 'DELETE') return `the method ${method}`;
  // Some servers join trailers to the fields.
  const fields = [...seen.fields, ...seen.trailers].map(
    ([name, value]) => [name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-'), value] as const,
  );
  const of = (name: string): string[] => fields.flatMap(([other, value]) => (other === name ? [value] : []));
  const [host, ...others] = of('host');
  if (host === undefined || others.length > 0) return `${others.length} hosts more than one`;
  if (/^secret\.test\.?(:|$)/i.test(host)) return `the host ${host}`;
  const closed = /^closed\.test\.?(:|$)/i.test(host);
  if (closed && !careless.every((path) => /^\/public(\/|$)/.test(path)))
    return `the path ${target} of ${host}`;
  for (const role of of('x-role'))
    if (role.split(',').some((each) => each.trim() === 'admin')) return `the role ${role}`;
  for (const [prefix, credential] of [
    ['/private', KEY],
    ['/member', token],
  ] as const) {
    const path = normalPath(target);
    if (closed || (path !== prefix && !path.startsWith(`${prefix}/`))) continue;
    if (!sent.includes(credential)) return `the path ${target} without a credential`;
    if (of('x-consumer').join() !== 'ops') return `the consumer ${of('x-consumer').join()}`;
  }
  return null;
}

const oneOf = fc.constantFrom;
/** Something usual most of the time, so that one oddity does not hide the next. */
const mostly = <T>(usual: T, odd: fc.Arbitrary<T>, weight = 6): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });

const word = fc
  .tuple(oneOf('admin', 'private', 'member', 'public'), fc.array(mostly(0, oneOf(1, 2, 3, 4, 5), 12)))
  .map(([name, ways]) => [...name].map((letter, i) => spelled(letter, ways[i] ?? 0)).join(''));

function spelled(letter: string, way: number): string {
  const hex = letter.charCodeAt(0).toString(16);
  if (way === 1) return `%${hex}`;
  if (way === 2) return `%25${hex}`;
  if (way === 3) return `%25%3${hex[0]}${hex[1]}`;
  // U+0061 in two bytes.
  if (way === 4) return `%c1%${(0x80 | (letter.charCodeAt(0) & 0x3f)).toString(16)}`;
  return way === 5 ? letter.toUpperCase() : letter;
}

const segment = fc.oneof(
  { weight: 8, arbitrary: word },
  {
    weight: 3,
    arbitrary: fc
      .tuple(word, oneOf(';', ';x=1', '%3Bx', '%3F', '%23', '%3fx', '%20', '%00', '%2500', '.', '%0a', '\t'))
      .map(([name, suffix]) => name + suffix),
  },
  {
    weight: 3,
    arbitrary: oneOf(
      ...[
        'a',
        '',
        '.',
        '..',
        '%2e',
        '%2E%2e',
        '.%2e',
        '..;',
        '..;a=b',
        '.;',
        '%252e%252e',
        '..%3F',
        '%c0%ae%c0%ae',
      ],
      ...[
        'a%2F..%2Fadmin',
        '..%2Fadmin',
        '..%5cadmin',
        '%5C..',
        '..%c0%afadmin',
        '..%252fadmin',
        'é',
        '%C3%A9',
        '{x}',
      ],
    ),
  },
);
const slash = mostly('/', oneOf('//', '/./', '/;/', '%2F', '%252F', '\\', '%5c', '%c0%af', '/\xc0\xaf'), 12);
const path = fc
  .array(fc.tuple(slash, segment), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.flat().join('').replace(/^\//, '')}`);

const name = mostly(
  'open.test',
  fc.oneof(
    oneOf('closed.test', 'secret.test', 'SECRET.test', 'Secret.Test'),
    oneOf('closed.test', '[::1]', '[fe80::1%25lo]'),
  ),
  4,
);
const host = fc
  .tuple(
    name,
    mostly('', oneOf('.', ':80', '.:80', ':443', ':', ':0', ' ', '..', '%00', ':80:80', '@open.test'), 15),
    mostly('', oneOf('open.test@', 'a:b@', '.', ' '), 20),
  )
  .map(([text, suffix, before]) => before + text + suffix);

const role = fc
  .tuple(
    oneOf(
      ...['X-Role', 'x-role', 'X-Role', 'x-role', 'x.role', 'X-ROLE'],
      'X-ROLE',
      'X_Role',
      'x.role',
      'X-Role ',
      ' X-Role',
      'X-Role\t',
      'X-Role\0',
      'X-R\xf6le',
    ),
    mostly(':', oneOf(' :', ':\t', ':\r\n ', ''), 8),
    oneOf(
      'admin',
      'user',
      'user, admin',
      'admin,user',
      ' \tadmin',
      'user\r\n admin',
      'user\nX-Role: admin',
      'user\rX-Role: admin',
      'admin\0',
      'ADMIN',
      '',
    ),
  )
  .map((parts) => parts.join(''));
const claim = fc
  .tuple(oneOf('X-Consumer', 'x_consumer', 'x.consumer', 'X-CONSUMER'), oneOf('eve', 'ops', ''))
  .map(([field, value]) => `${field}: ${value}`);
const key = fc
  .tuple(oneOf('X-Key', 'x-key', 'X_Key', 'x.key'), oneOf(KEY, KEY, 'wrong', `${KEY}, wrong`, ''))
  .map(([field, value]) => `${field}: ${value}`);
const bearer = (token: string) =>
  fc
    .tuple(
      oneOf('Authorization', 'authorization', 'Authorization'),
      oneOf('Bearer', 'bearer', 'Basic', ''),
      oneOf(token, token, `${token}x`, ''),
    )
    .map(([field, scheme, value]) => `${field}: ${scheme} ${value}`);
const connection = oneOf('x-role', 'X-Key', 'x-consumer', 'host', 'authorization', 'close, x-role').map(
  (option) => `Connection: ${option}`,
);
const odd = oneOf(
  'X-Http-Method-Override: DELETE',
  'X-Original-URL: /admin',
  'X-Forwarded-Host: secret.test',
);

/** Texts of requests. @param token one that the gateway takes */
function requests(token: string): fc.Arbitrary<string> {
  const line = fc.oneof(
    role,
    claim,
    key,
    bearer(token),
    connection,
    odd,
    host.map((text) => `Host: ${text}`),
  );
  return fc
    .record({
      method: mostly('GET', oneOf('POST', 'get', 'DELETE', 'delete', 'Delete', 'OPTIONS', 'GET\t'), 4),
      path,
      query: oneOf('', '', '?a=b', '?/../admin', '?x-key='),
      absolute: mostly('', oneOf('http://', 'HTTP://', 'https://', '//', 'ftp://'), 3),
      version: mostly('HTTP/1.1', oneOf('HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'http/1.1'), 20),
      host,
      other: host,
      // Most requests have to get through to say anything, so most have few oddities.
      lines: fc.oneof(
        { weight: 2, arbitrary: fc.constant<string[]>([]) },
        { weight: 3, arbitrary: fc.array(line, { maxLength: 2 }) },
      ),
      credentials: fc.subarray([`X-Key: ${KEY}`, `Authorization: Bearer ${token}`]),
      trailers: mostly<string[]>([], fc.array(fc.oneof(role, claim, key), { minLength: 1, maxLength: 2 }), 3),
    })
    .map((given) => {
      const { method, absolute, version, trailers } = given;
      const target = `${absolute === '' ? '' : absolute + given.host}${given.path}${given.query}`;
      return [
        `${method} ${target} ${version}`,
        // In absolute form the host of the target counts, whatever Host says.
        `Host: ${absolute === '' ? given.host : given.other}`,
        ...given.credentials,
        ...given.lines,
        ...(trailers.length === 0
          ? ['Connection: close', '', '']
          : ['Connection: close', 'Transfer-Encoding: chunked', '', '1', 'a', '0', ...trailers, '', '']),
      ].join('\r\n');
    });
}

/** Listeners between which the truth lies. */
export const LISTENERS = {
  'as strict as it is by default': 'trustedHops: 0',
  'that lets through what it can':
    'path: {escapedSlashes: Keep, backslash: Decode, mergeSlashes: false}, headers: {underscores: Allow}',
};

export const MORE_LISTENERS = {
  ...LISTENERS,
  'that leaves parameters of paths out': 'path: {parameters: Remove}',
};

/** Sends so many requests, and fails with the smallest that gets past what is denied. */
export async function tryRequests(listener: string, numRuns: number): Promise<void> {
  const signer = makeSigner('ES256');
  const now = Math.floor(Date.now() / 1000);
  const token = makeToken(signer, { iss: 'https://id.test', sub: 'ops', exp: now + 86_400 });
  const upstream = await FakeUpstream.start();
  const port = await freePort();
  const policies = gateway(port, upstream.port, listener, signer.jwk);
  await Weir.start({ files: { 'edge.yaml': policies }, args: ['--log-level', 'error'] });
  const statuses = new Map<number, number>();
  const credited = { '/private': 0, '/member': 0 };
  await fc.assert(
    fc.asyncProperty(requests(token), async (raw) => {
      const before = upstream.requests.length;
      const { status } = await exchange({ port }, raw);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      for (const seen of upstream.requests.splice(before)) {
        await seen.finish();
        expect(reasonAgainst(seen, raw, token, listener.includes('Remove')), raw).toBeNull();
        for (const prefix of ['/private', '/member'] as const)
          if (normalPath(seen.target).startsWith(prefix)) credited[prefix]++;
      }
    }),
    { numRuns },
  );
  // Else the property would say nothing.
  const share = (status: number): number => (statuses.get(status) ?? 0) / numRuns;
  expect(share(200)).toBeGreaterThan(0.05);
  expect(share(403)).toBeGreaterThan(0.05);
  expect(share(401)).toBeGreaterThan(0.01);
  expect(credited['/private'] / numRuns).toBeGreaterThan(0.002);
  expect(credited['/member'] / numRuns).toBeGreaterThan(0.002);
}
