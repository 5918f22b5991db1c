import { describe, expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';
import { filterBytes, refusalOf } from '../../support/filter.ts';
import { answerTo, JSON_BODY, open, post, verdict } from './kit.ts';

const SCHEMA = {
  type: 'object',
  required: ['item'],
  additionalProperties: false,
  properties: {
    item: { type: 'string', pattern: '^[a-z]+$' },
    count: { type: 'integer', minimum: 1 },
    tags: { type: 'array', items: { type: 'string' } },
  },
};
const RULE = { path: '/orders', methods: ['POST'], schema: SCHEMA };
const CONFIG = { body: { maxBytes: 1000 }, rules: [RULE] };

test('a body that is as its schema says goes on as it came, in whatever pieces', async () => {
  const filter = await open(CONFIG);
  const body = '{"item": "tea", "count": 2}';
  for (let at = 0; at <= body.length; at++) {
    const { upstream } = await filter.exchange({
      request: post(body, { body: [body.slice(0, at), body.slice(at)] }),
    });
    expect(upstream!.body).toBe(body);
  }
  const trailed = await filter.exchange({ request: post(body, { trailers: { 'x-sum': '1' } }) });
  expect(trailed.upstream!.body).toBe(body);
});

test('one that is not is refused with each place and rule, and never with a value', async () => {
  const filter = await open(CONFIG);
  expect(await verdict(filter, post({ item: 'TEA', count: 0, extra: 'secret' }))).toBe(
    'validate_body, /count minimum, /extra additionalProperties, /item pattern',
  );
  expect(await verdict(filter, post({}))).toBe('validate_body, /item required');
  const { answer } = await filter.exchange({ request: post({ item: 'SECRET-VALUE' }) });
  expect(answer.body).not.toContain('SECRET');
  expect(await verdict(filter, post({ item: 'A' }, { trailers: { 'x-sum': '1' } }))).toBe(
    'validate_body, /item pattern',
  );
});

test('as many faults are listed as are wanted, and one of a large body', async () => {
  const many = { item: 'A', tags: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] };
  const count = async (config: object, body: object): Promise<number> =>
    (await verdict(await open({ ...CONFIG, body: { maxBytes: 100_000 }, ...config }), post(body))).split(',')
      .length - 1;
  expect(await count({}, many)).toBe(8);
  expect(await count({ faults: 3 }, many)).toBe(3);
  expect(await count({ faults: 32 }, many)).toBe(11);
  expect(await count({ faults: 32 }, { ...many, tags: [...many.tags, 'x'.repeat(17_000)] })).toBe(1);
});

describe('before any schema is looked at', () => {
  const limits = { maxBytes: 1000, maxDepth: 3, maxKeys: 4, maxStringBytes: 8 };
  test.each<[string, string | Uint8Array, string]>([
    ['what fits the limits passes', '{"a":[[1]],"b":"12345678","c":{"d":1}}', 'passes'],
    ['a body that is too large', `"${'x'.repeat(999)}"`, 'validate_size'],
    ['too deep', '[[[[1]]]]', 'validate_body, maxDepth'],
    ['too many keys', '[{"a":1,"b":2,"c":3},{"a":1,"b":2}]', 'validate_body, maxKeys'],
    ['a text that is too long', '["123456789"]', 'validate_body, maxStringBytes'],
    ['a name that is too long', '{"123456789":1}', 'validate_body, maxStringBytes'],
    ['a key that is there twice', '{"a":1,"b":2,"a":1}', 'validate_body, duplicateKey'],
    ['the same with escapes', '{"ab":1,"\\u0061b":1}', 'validate_body, duplicateKey'],
    ['both with escapes', '{"\\u0061":1,"\\u0061":1}', 'validate_body, duplicateKey'],
    ['a name of another object', '{"a":{"a":1},"b":{"a":1}}', 'passes'],
    ['no JSON', '{"a":1', 'validate_body, syntax'],
    ['two texts', '{} {}', 'validate_body, syntax'],
    ['half of a surrogate pair', '"\\ud800"', 'validate_body, syntax'],
    ['what is no UTF-8', Buffer.from([0x22, 0xc3, 0x22]), 'validate_body, syntax'],
    ['a byte order mark', '\ufeff{}', 'validate_body, syntax'],
  ])('%s', async (_name, body, expected) => {
    const filter = await open({ body: limits, rules: [{ path: '/orders', schema: true }] });
    expect(await verdict(filter, post(body))).toBe(expected.replaceAll(', ', ', '));
  });
});

describe('which rule counts', () => {
  const rules = [
    { path: '/orders/{id}', methods: ['PUT', 'PATCH'], schema: { type: 'object' } },
    {
      path: '/orders/{id}',
      methods: ['PATCH'],
      contentTypes: ['application/json-patch+json'],
      schema: { type: 'array' },
    },
    {
      path: '/files/*',
      contentTypes: ['text/*', 'application/*+json'],
      schema: { type: 'object' },
      required: false,
    },
  ];
  const config = { body: { maxBytes: 1000 }, rules };
  test.each<[string, string, string | null, string, string]>([
    ['PUT', '/orders/7', 'application/json', '{}', 'passes'],
    ['PUT', '/orders/7?x=1', 'application/json', '[]', 'validate_body, type'],
    ['PATCH', '/orders/7', 'application/json', '[]', 'validate_body, type'],
    ['PATCH', '/orders/7', 'Application/JSON-Patch+json; charset=utf-8', '[]', 'passes'],
    ['PATCH', '/orders/7', 'application/json-patch+json', '{}', 'validate_body, type'],
    ['PUT', '/orders/7', 'application/json-patch+json', '[]', 'validate_media_type'],
    ['PUT', '/orders/7', 'application/jsonx', '[]', 'validate_media_type'],
    ['PUT', '/orders/7', null, '[]', 'validate_media_type'],
    ['put', '/orders/7', 'application/json', '[]', 'passes'],
    ['POST', '/orders/7', 'application/json', '[]', 'passes'],
    ['PUT', '/orders/7/', 'application/json', '[]', 'passes'],
    ['PUT', '/orders/', 'application/json', '[]', 'passes'],
    ['PUT', '/orders', 'application/json', '[]', 'passes'],
    ['PUT', '/files/a/b', 'text/plain', 'no JSON', 'passes'],
    ['PUT', '/files/a/b', 'application/vnd.a+json', '[]', 'validate_body, type'],
    ['PUT', '/files/', 'application/octet-stream', 'x', 'validate_media_type'],
    ['PUT', '/filesystem', 'application/octet-stream', 'x', 'passes'],
    ['PUT', '/files', 'application/octet-stream', 'x', 'passes'],
  ])('%s %s of %s with %s: %s', async (method, path, type, body, expected) => {
    const headers = type === null ? [] : ([['content-type', type]] as const);
    const filter = await open(config);
    expect(await verdict(filter, { method, path, headers, body })).toBe(expected.replaceAll(', ', ', '));
  });

  test('a body that is needed must be there', async () => {
    const filter = await open(config);
    expect(await verdict(filter, { method: 'PUT', path: '/orders/7', headers: JSON_BODY })).toBe(
      'validate_body',
    );
    expect(await verdict(filter, { method: 'PUT', path: '/orders/7', headers: JSON_BODY, body: '' })).toBe(
      'validate_body',
    );
    expect(await verdict(filter, { method: 'GET', path: '/files/a' })).toBe('passes');
  });

  test('two content types, and a body with a coding, are of no type', async () => {
    const filter = await open(CONFIG);
    const twice = [
      ['content-type', 'application/json'],
      ['content-type', 'text/plain'],
    ] as const;
    expect(await verdict(filter, post('{}', { headers: twice }))).toBe('validate_media_type');
    const coded = { ...JSON_BODY, 'content-encoding': 'gzip' };
    expect(await verdict(filter, post('{}', { headers: coded }))).toBe('validate_media_type');
    const plain = { ...JSON_BODY, 'content-encoding': 'identity' };
    expect(await verdict(filter, post({ item: 'tea' }, { headers: plain }))).toBe('passes');
  });
});

describe('answers', () => {
  const rule = {
    path: '/orders',
    methods: ['GET'],
    required: false,
    responseSchema: { type: 'object', required: ['id'] },
  };
  const config = (mode: string): object => ({ body: { maxBytes: 100 }, rules: [rule], response: { mode } });
  const get = { path: '/orders', headers: { 'accept-encoding': 'gzip' } };
  const json = (body: string, headers: object = {}) => ({ body, headers: { ...JSON_BODY, ...headers } });

  test('that are right pass, and their requests ask for no coding', async () => {
    const right = await answerTo(await open(config('Deny')), json('{"id":1}'), get);
    expect([right.status, right.body]).toEqual([200, '{"id":1}']);
    expect(right.seen!.headers['accept-encoding']).toBeUndefined();
    const other = await answerTo(await open(CONFIG), json('{}'), get);
    expect(other.seen!.headers['accept-encoding']).toBe('gzip');
  });

  test.each<[string, Parameters<typeof answerTo>[1], string]>([
    ['break the schema', json('{}'), '/id'],
    ['are no JSON', json('{'), 'syntax'],
    ['are too large', json(`{"id":"${'x'.repeat(100)}"}`), 'maxBytes'],
    ['have a coding', json('{"id":1}', { 'content-encoding': 'gzip' }), 'contentEncoding'],
    ['are of another type', { body: 'x', headers: { 'content-type': 'text/html' } }, 'contentType'],
  ])('that %s become 502, or a line of the log', async (_name, response, told) => {
    const denied = await answerTo(await open(config('Deny')), response, get);
    expect(denied.status).toBe(502);
    expect(denied.body).not.toContain(told);
    const logged = await answerTo(await open(config('Log')), response, get);
    expect([logged.status, logged.body]).toEqual([200, response.body]);
    for (const { logs } of [denied, logged])
      expect(logs.map(({ message }) => message).join()).toContain(told);
  });

  test('with other statuses, or to requests without a rule, are not looked at', async () => {
    const filter = await open(config('Deny'));
    expect((await answerTo(filter, { ...json('{}'), status: 404 }, get)).status).toBe(404);
    expect((await answerTo(filter, json('{}'), { path: '/other' })).status).toBe(200);
    expect((await answerTo(filter, { status: 204 }, get)).status).toBe(204);
  });
});

test('a schema that cannot be used is told with its place', async () => {
  const wrong = { ...CONFIG, rules: [{ ...RULE, schema: { pattern: '(?=a)' } }] };
  expect((await refusalOf('validate', wrong)).join('\n')).toContain(
    'rules[0].schema: this is no JSON Schema',
  );
});

test('a host that cannot check schemas does not start it, or has the limits alone', async () => {
  const bytes = Buffer.from(filterBytes('validate'));
  const at = bytes.indexOf(Buffer.from('weir.json_schema', 'utf16le'));
  bytes.write('none', at, 'utf16le');
  await expect(openFilter(bytes, { config: CONFIG })).rejects.toThrow('whereMissing is not Allow');
  const filter = await openFilter(bytes, {
    config: { ...CONFIG, whereMissing: 'Allow' },
    bodyWhileHeld: true,
  });
  expect(await verdict(filter, post({ item: 'NOT CHECKED' }))).toBe('passes');
  expect(await verdict(filter, post('{"a":1,"a":2}'))).toBe('validate_body, duplicateKey');
});
