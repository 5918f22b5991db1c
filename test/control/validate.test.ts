import { describe, expect, test } from 'vitest';
import { ConfigDocument } from '../../src/control/document.ts';
import { parseText } from '../../src/control/parse.ts';
import { validateDocument } from '../../src/control/validate.ts';

const validate = (text: string) => validateDocument(parseText('x.yaml', text).documents[0]!);

const ROUTE =
  'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec:\n  parentRefs: [{name: edge}]\n';

test('defaults are those of the Gateway API', () => {
  const { object, diagnostics } = validate(ROUTE);
  expect(diagnostics).toEqual([]);
  expect(object?.value).toMatchObject({
    metadata: { namespace: 'default' },
    spec: {
      parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway' }],
      rules: [{ matches: [], backendRefs: [] }],
    },
  });
});

test('an object is still looked at without the fields that are at fault', () => {
  const { object, diagnostics } = validate(
    `${ROUTE}  hostname: [a.com]\n  rules: [{timeouts: {request: 5}, name: api}]\n`,
  );
  expect(diagnostics.map(({ code }) => code).sort()).toEqual(['WEIR1040', 'WEIR1042']);
  expect(object?.value).toMatchObject({ spec: { rules: [{ name: 'api' }] } });
});

test('what was cut out is not reported as missing', () => {
  const { object, diagnostics } = validate(`${ROUTE.replace('[{name: edge}]', 'edge')}`);
  expect(diagnostics.map(({ code }) => code)).toEqual(['WEIR1040']);
  expect(object).toMatchObject({ kind: 'HTTPRoute', name: 'a', value: null });
});

test('a value of another type is told with what belongs there', () => {
  const told = (endpoints: string) =>
    validate(
      `apiVersion: policy.weir/v1alpha1\nkind: Upstream\nmetadata: {name: a}\nspec: {endpoints: ${endpoints}}\n`,
    ).diagnostics.map(({ message, hint, notes }) => [message, hint ?? notes?.[0]]);
  expect(told('[{address: 127.0.0.1, port: 80}]')).toEqual([
    ['endpoints must be a mapping, got a list', 'known fields: static, dns, srv, file'],
  ]);
  expect(told('{static: {address: 127.0.0.1, port: 80}}')).toEqual([
    ['endpoints.static must be a list, got a mapping', 'put "- " before it'],
  ]);
  expect(told('{static: ["127.0.0.1:80"]}')).toEqual([
    ['endpoints.static[0] must be a mapping, got "127.0.0.1:80"', 'known fields: address, port, weight'],
  ]);
});

test('a pruned field does not bring other faults to light twice', () => {
  const { diagnostics } = validate(`${ROUTE}  x: 1\n  rules:\n  - y: 1\n    filters: [{type: URLRewrite}]\n`);
  expect(diagnostics.map(({ code, line }) => `${code} line ${line}`).sort()).toEqual([
    'WEIR1041 line 9',
    'WEIR1042 line 6',
    'WEIR1042 line 8',
  ]);
});

describe('what kubectl writes is taken', () => {
  test('metadata and status of an API server', () => {
    const metadata =
      '{name: a, namespace: b, uid: x, resourceVersion: "1", generation: 2, creationTimestamp: "2025-01-01T00:00:00Z", managedFields: [{}], annotations: {x: "y"}}';
    const { diagnostics } = validate(`${ROUTE.replace('{name: a}', metadata)}status: {parents: []}\n`);
    expect(diagnostics).toEqual([]);
  });
});

test.each([
  ['an apiVersion that is a mapping', { apiVersion: { toString: null }, kind: 'Gateway' }],
  ['a kind that every object inherits', { apiVersion: 'v1', kind: 'constructor' }],
  ['metadata of another type', { apiVersion: 'v1', kind: 'Service', metadata: 'x' }],
  ['no metadata', { apiVersion: 'v1', kind: 'Service' }],
])('%s is an error, not an exception', (_what, value) => {
  expect(validateDocument(ConfigDocument.made('made', value)).diagnostics.length).toBeGreaterThan(0);
});

describe('rules over several fields', () => {
  const rule = (text: string) => validate(`${ROUTE}  rules: [${text}]\n`).diagnostics.map(({ code }) => code);
  const redirect = '{type: RequestRedirect, requestRedirect: {scheme: https}}';
  const prefix = '{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /x}}}';
  test.each([
    ['a redirect with backends', `{filters: [${redirect}], backendRefs: [{name: a, port: 80}]}`, 'WEIR1046'],
    ['a filter twice', `{filters: [${redirect}, ${redirect}]}`, 'WEIR1046'],
    ['redirect and rewrite', `{filters: [${redirect}, ${prefix}]}`, 'WEIR1046'],
    [
      'a prefix replaced without a prefix match',
      `{matches: [{path: {type: Exact, value: /a}}], filters: [${prefix}]}`,
      'WEIR1046',
    ],
    [
      'a prefix replaced with two matches',
      `{matches: [{path: {value: /a}}, {path: {value: /b}}], filters: [${prefix}]}`,
      'WEIR1046',
    ],
    [
      'an attempt that may last longer than the request',
      '{timeouts: {request: 1s, backendRequest: 2s}}',
      'WEIR1046',
    ],
    [
      'settings of another filter type',
      '{filters: [{type: URLRewrite, urlRewrite: {}, requestRedirect: {}}]}',
      'WEIR1046',
    ],
  ])('%s', (_what, text, code) => {
    expect(rule(text)).toEqual([code]);
  });

  test.each([
    ['a prefix replaced with the default match', `{filters: [${prefix}]}`],
    ['an attempt as long as the request', '{timeouts: {request: 1s, backendRequest: 1s}}'],
    ['no limit for the request', '{timeouts: {request: 0s, backendRequest: 2s}}'],
  ])('%s is fine', (_what, text) => {
    expect(rule(text)).toEqual([]);
  });
});
