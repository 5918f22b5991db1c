// A field that tells an upstream who sends a request must come from the filter alone, by every rule that leads there.
import { expect, test } from 'vitest';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';

const upstream = (name: string): string => `
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: ${name}}
spec: {endpoints: {static: [{address: 127.0.0.1, port: 9000}]}}
---`;
const chain = (name: string, target: string, filter: string): string => `
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: ${name}}
spec: {targetRefs: [{${target}}], filters: [${filter}]}
---`;
const to = (name: string, more = ''): string =>
  `backendRefs: [{group: policy.weir, kind: Upstream, name: ${name}${more}}]`;

const text = (open: string, ...more: string[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - {name: known, ${to('shop')}}
  - {name: open, matches: [{path: {value: /open}}], ${open}}
---${upstream('shop')}${more.join('')}`;

const KEYS =
  'config: {from: [{header: x-api-key}], keys: [{name: ann, key: k1}], consumerHeader: X-Consumer}';
const KEY = `{name: who, use: api-key, ${KEYS}}`;
const RULE = 'kind: HTTPRoute, name: shop, sectionName: known';

async function warnings(...parts: Parameters<typeof text>): Promise<string[]> {
  const parsed = parseText('all.yaml', text(...parts));
  const { snapshot, diagnostics } = await loadDocuments(parsed.documents, new FileReader(), parsed);
  expect(snapshot).not.toBeNull();
  return diagnostics.map(({ code, severity, message }) => `${severity} ${code} ${message}`);
}

const WARNING =
  'warning WEIR3034 rule default/shop#open hands x-consumer on to Upstream default/shop as the client wrote it, and filter "who" tells by it who sends, for rule default/shop#known';

test('a rule to the same upstream without the filter is a warning', async () => {
  expect(await warnings(to('shop'), chain('who', RULE, KEY))).toEqual([WARNING]);
  // Fields of claims, and of a service.
  const jwt = `{name: who, use: jwt, config: {providers: [{name: id, issuer: 'https://id.test', jwks: {keys: [{kty: OKP}]}, claimsToHeaders: [{claim: sub, header: x-consumer}]}]}}`;
  expect(await warnings(to('shop'), chain('who', RULE, jwt))).toEqual([WARNING]);
});

const REMOVE = 'requestHeaderModifier: {remove: [X-CONSUMER]}';

test.each<[string, string, string]>([
  ['leads to another upstream', to('other'), upstream('other') + chain('who', RULE, KEY)],
  ['has the filter too', to('shop'), chain('who', 'kind: Gateway, name: edge', KEY)],
  [
    'has another filter that tells by the same field',
    to('shop'),
    chain('who', RULE, KEY) + chain('too', RULE.replace('known', 'open'), KEY.replace('who', 'other')),
  ],
  [
    'takes the field out',
    `filters: [{type: RequestHeaderModifier, ${REMOVE}}], ${to('shop')}`,
    chain('who', RULE, KEY),
  ],
  [
    'takes it out before that upstream',
    to('shop', `, filters: [{type: RequestHeaderModifier, ${REMOVE}}]`),
    chain('who', RULE, KEY),
  ],
  [
    'has a filter that sets it',
    to('shop'),
    chain('who', RULE, KEY) +
      chain(
        'none',
        RULE.replace('known', 'open'),
        '{name: none, use: headers, config: {request: {set: {x-consumer: nobody}}}}',
      ),
  ],
])('a rule that %s is none', async (_what, open, more) => {
  expect(await warnings(open, more)).toEqual([]);
});
