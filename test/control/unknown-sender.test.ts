// A rule that asks who sends a request is of no use where nothing finds it out.
import { expect, test } from 'vitest';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { edge } from '../support/edge.ts';

const text = (rule: string, filter: string, target: string): string => `
${edge({ port: 8080, upstreamPort: 9000, route: 'shop', upstream: 'shop' })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{${target}}]
  filters: [${filter}]
---
apiVersion: policy.weir/v1alpha1
kind: AccessPolicy
metadata: {name: staff}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  action: ALLOW
  rules: [{name: open, to: [{paths: [{value: /open}]}]}, ${rule}]
`;

const KEYS = '{name: who, use: api-key, config: {from: [{header: x-api-key}], keys: [{name: ann, key: k1}]}}';
const HEADERS = '{name: shape, use: headers, config: {request: {set: {x-a: b}}}}';
const GATEWAY = 'kind: Gateway, name: edge';

async function warnings(...parts: Parameters<typeof text>): Promise<string[]> {
  const parsed = parseText('all.yaml', text(...parts));
  const { snapshot, diagnostics } = await loadDocuments(parsed.documents, new FileReader(), parsed);
  expect(snapshot).not.toBeNull();
  return diagnostics.map(({ code, severity, message }) => `${severity} ${code} ${message}`);
}

test.each([
  '{name: ann, from: [{consumers: [ann]}]}',
  '{name: ann, from: [{ipBlocks: [10.0.0.0/8]}, {notConsumers: [bob]}]}',
  '{name: ann, from: [{claims: [{claim: sub, values: [ann]}]}]}',
  '{name: ann, when: [{header: x-a, values: [b]}, {claim: sub, values: [ann]}]}',
])('without a filter that finds it out, %s is a warning', async (rule) => {
  const message = 'rule "ann" asks who sends a request, and no filter where the policy holds finds that out';
  expect(await warnings(rule, HEADERS, GATEWAY)).toEqual([`warning WEIR3032 ${message}`]);
});

test.each([
  ['a filter of the Gateway', '{name: ann, from: [{consumers: [ann]}]}', KEYS, GATEWAY],
  [
    'a filter of one of its routes',
    '{name: ann, from: [{consumers: [ann]}]}',
    KEYS,
    'kind: HTTPRoute, name: shop',
  ],
  ['nothing that is asked of the sender', '{name: ann, from: [{ipBlocks: [10.0.0.0/8]}]}', HEADERS, GATEWAY],
])('with %s there is none', async (_what, rule, filter, target) => {
  expect(await warnings(rule, filter, target)).toEqual([]);
});

test.each([
  ['consumers', '{name: ann, from: [{consumers: [anne, ann, "an*"]}]}'],
  ['notConsumers', '{name: ann, from: [{notConsumers: [anne]}]}'],
])('a name in %s that no filter knows is a warning', async (_field, rule) => {
  const message =
    'rule "ann" names a consumer "anne", and no filter where the policy holds finds one of that name';
  expect(await warnings(rule, KEYS, GATEWAY)).toEqual([`warning WEIR3035 ${message}`]);
});

test('where a filter takes names from elsewhere, there is none', async () => {
  const key = '{kty: OKP, crv: Ed25519, x: 750UH-od0UdSx1PP7SoC4f2r5Tk0V0mUGf9RTWQMabY, kid: k, alg: EdDSA}';
  const provider = `{name: id, issuer: 'https://id.example.com', audiences: [shop], jwks: {keys: [${key}]}, consumerClaim: sub}`;
  const token = `{name: token, use: jwt, config: {providers: [${provider}]}}`;
  expect(await warnings('{name: ann, from: [{consumers: [bob]}]}', `${token}, ${KEYS}`, GATEWAY)).toEqual([]);
});
