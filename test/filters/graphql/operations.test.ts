import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ask, JSON_BODY, open, post, verdict, WIDE } from './kit.ts';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a limit', () => {
  test.each<[string, object, string, string]>([
    ['depth', { depth: 3 }, '{a{b{c}}}', '{a{b{c{d}}}}'],
    ['depth', { depth: 3 }, '{a{...F}} fragment F on T {b{c}}', '{a{...F}} fragment F on T {b{c{d}}}'],
    ['depth', { depth: 2 }, '{... {... on T {a{b}}}}', '{... {... on T {a{b{c}}}}}'],
    ['aliases', { aliases: 2 }, '{x:a y:b c}', '{x:a y:b z:c}'],
    [
      'aliases',
      { aliases: 2 },
      '{...F ...F} fragment F on T {x:a}',
      '{...F ...F ...F} fragment F on T {x:a}',
    ],
    ['root fields', { rootFields: 2 }, '{a{x y z} b}', '{a b c}'],
    [
      'root fields',
      { rootFields: 2 },
      '{...F} fragment F on T {a ...{b}}',
      '{...F c} fragment F on T {a ...{b}}',
    ],
    ['directives', { directives: 1 }, '{a @skip(if: true)}', '{a @skip(if: true) @include(if: false)}'],
    ['tokens', { tokens: 5 }, '{a b c}', '{a b c d}'],
    ['cost', { cost: 4 }, '{a{b c} d}', '{a{b c} d e}'],
    ['cost', { cost: 11 }, '{a(first: 10){b}}', '{a(first: 11){b}}'],
    ['cost', { cost: 111 }, '{a(first: 10){b(last: 10){c}}}', '{a(first: 10){b(last: 11){c}}}'],
    ['cost', { cost: 11 }, '{a(page: {first: 10}){b}}', '{a(page: {limit: 11}){b}}'],
    [
      'cost',
      { cost: 11 },
      '{a(first: 10){...F}} fragment F on T {b}',
      '{a(first: 10){...F}} fragment F on T {b c}',
    ],
    ['cost', { cost: 11 }, '{a(first: -50, last: 10){b}}', '{a(first: 1, last: 11){b}}'],
    ['cost', { cost: 10 }, '{a(first: 9, other: 99){b}}', '{a(first: 99999999999999999999){b}}'],
  ])('on %s %j: %s passes, %s does not', async (name, limits, right, wrong) => {
    const filter = await open({ limits });
    expect(await ask(filter, right)).toBe('passes');
    const code = { 'root fields': 'ROOT_FIELD', aliases: 'ALIAS', directives: 'DIRECTIVE', tokens: 'TOKEN' }[
      name
    ];
    expect(await ask(filter, wrong)).toBe(`400 ${code ?? name.toUpperCase()}_LIMIT`);
  });

  test('holds however often fragments are in one another, in time that grows with the document alone', async () => {
    const filter = await open({ limits: { cost: 1_000_000_000, tokens: 10_000 } });
    const levels = Array.from({ length: 60 }, (_, i) => `fragment F${i} on T {...F${i + 1} ...F${i + 1}}`);
    const bomb = `{...F0} ${levels.join(' ')} fragment F60 on T {a}`;
    expect(await ask(filter, bomb)).toBe('400 ROOT_FIELD_LIMIT');
    const wide = await open({ ...WIDE, limits: { ...WIDE.limits, cost: 5 } });
    expect(await ask(wide, `{...F0} ${levels.slice(0, 50).join(' ')} fragment F50 on T {a}`)).toBe(
      '400 ROOT_FIELD_LIMIT',
    );
  });

  test('of weights is by names of fields', async () => {
    const filter = await open({ limits: { cost: 10 }, costs: { default: 0, fields: { search: 5, a: 1 } } });
    expect(await ask(filter, '{search search x{y{z}}}')).toBe('passes');
    expect(await ask(filter, '{search search a}')).toBe('400 COST_LIMIT');
    expect(await ask(filter, '{a: search b: search c: a}')).toBe('400 COST_LIMIT');
    expect(await ask(filter, '{search: x a: x}')).toBe('passes');
  });

  test('says what was found, and what is allowed', async () => {
    const { answer } = await (
      await open({ limits: { depth: 1 } })
    ).exchange({ request: post({ query: '{a{b}}' }) });
    expect(answer.json()).toEqual({
      errors: [
        {
          message: 'fields are too deep in one another: 2, and 1 allowed',
          extensions: { code: 'DEPTH_LIMIT' },
        },
      ],
    });
    expect([answer.status, answer.details, answer.headers['content-type']]).toEqual([
      400,
      'graphql_depth',
      'application/json',
    ]);
  });
});

describe('a variable says how often', () => {
  const QUERY = 'query($n: Int = 20, $p: Page) {a(first: $n, page: $p){b}}';
  test.each<[string, string, object | undefined, string]>([
    ['by its value', QUERY, { n: 10 }, 'passes'],
    ['by a larger one', QUERY, { n: 11 }, '400 COST_LIMIT'],
    ['by its default', QUERY, undefined, '400 COST_LIMIT'],
    ['by an object', QUERY, { n: 1, p: { deep: [{ last: 11 }] } }, '400 COST_LIMIT'],
    ['by a number with an exponent', QUERY, { n: 1e30 }, '400 COST_LIMIT'],
    ['not by a text', QUERY, { n: 'x' }, 'passes'],
    [
      'by a default behind the fragment that uses it',
      'fragment F on T {a(first: $n){b}} query($n: Int = 11) {...F}',
      undefined,
      '400 COST_LIMIT',
    ],
    [
      'by the largest default of several operations',
      'query A($n: Int = 1) {...F} query B($n: Int = 11) {...F} fragment F on T {a(first: $n){b}}',
      undefined,
      '400 COST_LIMIT',
    ],
  ])('%s', async (_name, query, variables, expected) => {
    expect(await ask(await open({ limits: { cost: 11 } }), query, variables)).toBe(expected);
  });
});

describe('what is allowed', () => {
  test('introspection is refused but for names of types, unless it is allowed', async () => {
    const closed = await open();
    for (const query of [
      '{__schema{types{name}}}',
      '{a{...F}} fragment F on T {__type(name: "A"){name}}',
      '{x: __schema{x}}',
    ])
      expect([query, await ask(closed, query)]).toEqual([query, '403 INTROSPECTION_DISABLED']);
    expect(await ask(closed, '{a{__typename} __schemas}')).toBe('passes');
    expect(await ask(await open({ introspection: 'Allow' }), '{__schema{types{name}}}')).toBe('passes');
  });

  test('kinds of operations, of all that a document has', async () => {
    const queries = await open({ operations: ['query'] });
    expect(await ask(queries, '{a}')).toBe('passes');
    expect(await ask(queries, 'query A {a} mutation B {b}')).toBe('403 OPERATION_NOT_ALLOWED');
    expect(await ask(await open(), 'mutation {a}')).toBe('passes');
    expect(await ask(await open(), 'subscription {a}')).toBe('403 OPERATION_NOT_ALLOWED');
  });

  test('documents by their hash alone', async () => {
    const known = 'query Cart {cart{total}}';
    const filter = await open({ persisted: { sha256: [sha('{other}'), sha(known).toUpperCase()] } });
    const apq = (hash: string, more: object = {}) =>
      post({ ...more, extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });
    expect(await ask(filter, known)).toBe('passes');
    expect(await ask(filter, `${known} `)).toBe('403 PERSISTED_QUERY_REQUIRED');
    expect(await verdict(filter, apq(sha(known)))).toBe('passes');
    expect(await verdict(filter, apq(sha('{x}')))).toBe('403 PERSISTED_QUERY_REQUIRED');
    expect(await verdict(filter, apq(sha(known), { query: '{x}' }))).toBe('403 PERSISTED_QUERY_REQUIRED');
    expect(await verdict(filter, post({}))).toBe('403 PERSISTED_QUERY_REQUIRED');
    // Without a list nobody sees what a hash stands for.
    expect(await verdict(await open(), apq(sha(known)))).toBe('400 BAD_REQUEST');
  });
});

test.each([
  ['{...F}', 'GRAPHQL_VALIDATION_FAILED'],
  ['{...F} fragment F on T {a{...G}} fragment G on T {...F}', 'GRAPHQL_VALIDATION_FAILED'],
  ['{a} fragment F on T {...F}', 'GRAPHQL_VALIDATION_FAILED'],
  ['{a} fragment F on T {a} fragment F on T {b}', 'GRAPHQL_VALIDATION_FAILED'],
  ['query A {a} query A {b}', 'GRAPHQL_VALIDATION_FAILED'],
  ['{a} query A {b}', 'GRAPHQL_VALIDATION_FAILED'],
  ['fragment F on T {a}', 'GRAPHQL_VALIDATION_FAILED'],
  ['{a', 'GRAPHQL_PARSE_FAILED'],
  [`${'{a'.repeat(200)}${'}'.repeat(200)}`, 'DEPTH_LIMIT'],
  [`{a(b: ${'['.repeat(200)}${']'.repeat(200)})}`, 'DEPTH_LIMIT'],
  [`query($a: ${'['.repeat(200)}T${']'.repeat(200)}) {a}`, 'DEPTH_LIMIT'],
])('%s is refused', async (query, code) => {
  expect(await ask(await open(), query)).toBe(`400 ${code}`);
});

describe('a request', () => {
  const get = (query: string, path = '/graphql') => ({ path: `${path}?${query}` });
  test.each<[string, Parameters<typeof verdict>[1], string]>([
    ['by GET', get('query=%7Ba%7D&variables=%7B%7D'), 'passes'],
    ['by GET, deep', get('query=%7Ba%7Bb%7Bc%7D%7D%7D'), '400 DEPTH_LIMIT'],
    ['by GET, escaped', get('q%75ery=%7Ba%7Bb%7Bc%7D%7D%7D'), '400 DEPTH_LIMIT'],
    ['by GET, twice', get('query=%7Ba%7D&query=%7Bb%7D'), '400 BAD_REQUEST'],
    ['by GET, without one', get('x=1'), '400 BAD_REQUEST'],
    ['by GET, a mutation', get('query=mutation%7Ba%7D'), '405 BAD_REQUEST'],
    ['by GET, wrong variables', get('query=%7Ba%7D&variables=%7B'), '400 BAD_REQUEST'],
    ['by GET, no UTF-8', get('query=%7Ba(b:%22%ff%22)%7D'), '400 BAD_REQUEST'],
    ['by GET, with a body', { ...get('query=%7Ba%7D'), body: '{}' }, '400 BAD_REQUEST'],
    [
      'by POST with an operation in the query',
      post({ query: '{a}' }, { path: '/graphql?query=%7Bb%7D' }),
      '400 BAD_REQUEST',
    ],
    ['by POST with something else there', post({ query: '{a}' }, { path: '/graphql?trace=1' }), 'passes'],
    ['by PUT', { ...post({ query: '{a}' }), method: 'PUT' }, '405 BAD_REQUEST'],
    ['by OPTIONS', { method: 'OPTIONS', path: '/graphql' }, 'passes'],
    ['elsewhere', post('anything', { path: '/other' }), 'passes'],
    [
      'as a document',
      post('{a}', { headers: { 'content-type': 'application/graphql; charset=utf-8' } }),
      'passes',
    ],
    [
      'as a deep one',
      post('{a{b{c}}}', { headers: { 'content-type': 'application/graphql' } }),
      '400 DEPTH_LIMIT',
    ],
    [
      'as a form',
      post('query={a}', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
      '415 BAD_REQUEST',
    ],
    ['without a type', post({ query: '{a}' }, { headers: {} }), '415 BAD_REQUEST'],
    [
      'with a coding',
      post({ query: '{a}' }, { headers: { ...JSON_BODY, 'content-encoding': 'gzip' } }),
      '415 BAD_REQUEST',
    ],
    ['without a body', { method: 'POST', path: '/graphql', headers: JSON_BODY }, '400 BAD_REQUEST'],
    ['with two queries', post('{"query":"{a}","query":"{b}"}'), '400 BAD_REQUEST'],
    ['with a hidden one', post('{"query":"{a}","\\u0071uery":"{b}"}'), '400 BAD_REQUEST'],
    ['with a hidden name', post('{"query":"{a}","v\\u0061riables":{"n":9}}'), '400 BAD_REQUEST'],
    ['with escapes in it', post('{"query":"{a\\u007bb{\\u0063}}}"}'), '400 DEPTH_LIMIT'],
    ['with a query that is no text', post({ query: 1 }), '400 BAD_REQUEST'],
    ['that is no object', post('"{a}"'), '400 BAD_REQUEST'],
    ['that is too large', post({ query: '{a}', variables: { x: 'y'.repeat(2000) } }), '413 BAD_REQUEST'],
    ['with null variables', post({ query: '{a}', variables: null, operationName: null }), 'passes'],
    ['in a list', post([{ query: '{a}' }]), 'passes'],
    ['in a list of two', post([{ query: '{a}' }, { query: '{b}' }]), '400 BATCH_LIMIT'],
    ['in an empty list', post([]), '400 BAD_REQUEST'],
  ])('%s', async (_name, request, expected) => {
    const filter = await open({ body: { maxBytes: 1000 }, limits: { depth: 2 } });
    expect(await verdict(filter, request)).toBe(expected);
  });

  test('of several operations costs what all of them cost', async () => {
    const filter = await open({ limits: { cost: 5, batch: 3 } });
    expect(await verdict(filter, post([{ query: '{a b}' }, { query: '{a b c}' }]))).toBe('passes');
    expect(await verdict(filter, post([{ query: '{a b c}' }, { query: '{a b c}' }]))).toBe('400 COST_LIMIT');
    expect(await verdict(filter, post([{ query: '{a}' }, { query: '{a' }]))).toBe('400 GRAPHQL_PARSE_FAILED');
    expect(await verdict(filter, post([{ query: '{a}' }, 7]))).toBe('400 BAD_REQUEST');
  });

  test('goes on as it came, in any pieces, and tells filters behind what it costs', async () => {
    const filter = await open();
    const body = JSON.stringify({ query: 'query Q {a(first: 3){b: c}}' });
    for (let at = 0; at <= body.length; at += 3) {
      const exchange = await filter.exchange({
        request: post(body, { body: [body.slice(0, at), body.slice(at)] }),
      });
      expect(exchange.upstream!.body).toBe(body);
      const told = ['cost', 'depth', 'aliases', 'operation'].map((name) =>
        exchange.property(`graphql.${name}`),
      );
      expect(told).toEqual(['4', '2', '1', 'query']);
    }
  });

  test('is answered in the form that it asks for', async () => {
    const headers = { ...JSON_BODY, accept: 'application/graphql-response+json, application/json;q=0.9' };
    const { answer } = await (await open()).exchange({ request: post('{', { headers }) });
    expect(answer.headers['content-type']).toBe('application/graphql-response+json');
  });
});
