import { beforeAll, describe, expect, test } from 'vitest';
import type { Filter } from '@weir/filters-sdk/testing';
import { compileApi } from '../../../src/control/openapi/compile.ts';
import { parseText } from '../../../src/control/parse.ts';
import { answerTo, JSON_BODY, open, post, verdict } from './kit.ts';

const SHOP = `
openapi: 3.1.0
info: {title: shop, version: "1"}
servers: [{url: "https://shop.example.com/v1/"}]
paths:
  /orders:
    get:
      parameters:
      - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      - {name: tag, in: query, schema: {type: array, maxItems: 2, items: {$ref: "#/components/schemas/Tag"}}}
      - {name: ids, in: query, explode: false, schema: {type: array, items: {type: integer}}}
      - {name: words, in: query, style: spaceDelimited, explode: false, schema: {type: array, items: {type: string}}}
      - {name: pipes, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: boolean}}}
      - name: filter
        in: query
        style: deepObject
        schema: {type: object, required: [color], properties: {color: {enum: [red, blue]}, size: {type: integer}}}
      - {name: open, in: query, schema: {type: boolean}}
      - {name: any, in: query, x-weir-unchecked: true, schema: {type: object}}
      responses:
        "200":
          description: all
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Order"}}}}
        default: {description: fault, content: {application/problem+json: {schema: {required: [status]}}}}
    post:
      requestBody: {$ref: "#/components/requestBodies/Order"}
      responses: {"201": {description: made}}
  /orders/{id}:
    parameters:
    - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
    get:
      parameters:
      - {name: X-Trace, in: header, required: true, schema: {type: string, maxLength: 4}}
      - {name: X-Flags, in: header, schema: {type: array, items: {type: integer}}}
      - {name: session, in: cookie, schema: {type: string, minLength: 3}}
      - {name: Authorization, in: header, required: true, schema: {type: string}}
      responses: {"200": {description: one}}
    put:
      requestBody:
        content:
          text/*: {schema: {type: string}}
          application/*+json: {schema: {type: array}}
          "*/*": {schema: {type: object}}
      responses: {"200": {description: one}}
  /orders/latest:
    get: {responses: {"200": {description: one}}}
  /tree: {post: {requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}, responses: {"204": {description: ok}}}}
components:
  requestBodies:
    Order: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
  schemas:
    Tag: {type: string, pattern: "^[a-z]+$"}
    Order:
      type: object
      required: [id, item, secret]
      unevaluatedProperties: false
      properties:
        id: {type: integer, readOnly: true}
        item: {type: string, example: tea, format: colour}
        secret: {type: string, writeOnly: true}
        note: {type: ["string", "null"]}
    Tree: {type: object, additionalProperties: false, properties: {children: {type: array, items: {$ref: "#/components/schemas/Tree"}}}}
`;

function configOf(text: string, more: object = {}): object {
  const { api, diagnostics } = compileApi(parseText('api.yaml', text).documents[0]!);
  expect(diagnostics).toEqual([]);
  const { basePath, ...openapi } = api!;
  void basePath;
  return { body: { maxBytes: 1000 }, openapi, ...more };
}

let shop: Filter;
beforeAll(async () => {
  shop = await open(configOf(SHOP));
});
const get = (path: string, headers: object = {}) => ({ path, headers: headers as Record<string, string> });

test('paths, methods and what is not there', async () => {
  expect(await verdict(shop, get('/orders'))).toBe('passes');
  expect(await verdict(shop, get('/orders/latest'))).toBe('passes');
  for (const path of ['/', '/order', '/orders/', '/orders/a/b', '/Orders'])
    expect([path, await verdict(shop, get(path))]).toEqual([path, 'validate_path']);
  const { answer } = await shop.exchange({ request: { method: 'DELETE', path: '/orders' } });
  expect([answer.status, answer.details, answer.headers['allow']]).toEqual([
    405,
    'validate_method',
    'GET, HEAD, POST',
  ]);
  expect(await verdict(shop, { method: 'HEAD', path: '/orders?limit=0' })).toBe('validate_parameters');
});

describe('a parameter', () => {
  test.each<[string, string]>([
    ['limit=7', 'passes'],
    ['limit=0', '/query/limit minimum'],
    ['limit=seven', '/query/limit type'],
    ['limit=', '/query/limit type'],
    ['limit', '/query/limit type'],
    ['limit=1.5', '/query/limit type'],
    ['limit=%37', 'passes'],
    ['l%69mit=0', '/query/limit minimum'],
    ['limit=1&limit=2', '/query/limit repeated'],
    ['limit=0x10', '/query/limit type'],
    ['tag=a&tag=b', 'passes'],
    ['tag=a&x=1&tag=B', '/query/tag/1 pattern'],
    ['tag=a&tag=b&tag=c', '/query/tag maxItems'],
    ['tag=a,b', '/query/tag/0 pattern'],
    ['ids=1,2,3', 'passes'],
    ['ids=1,b', '/query/ids/1 type'],
    ['ids=1%2C2', '/query/ids/0 type'],
    ['ids=1&ids=2', '/query/ids repeated'],
    ['words=a%20b+c', 'passes'],
    ['pipes=true%7Cfalse', 'passes'],
    ['pipes=true%7Cyes', '/query/pipes/1 type'],
    ['filter%5Bcolor%5D=red&filter[size]=3', 'passes'],
    ['filter[color]=green', '/query/filter/color enum'],
    ['filter[size]=3', '/query/filter/color required'],
    ['filter[color]=red&filter[color]=blue', '/query/filter[color] repeated'],
    ['open=true', 'passes'],
    ['open=1', '/query/open type'],
    ['any=x&any=y', 'passes'],
    ['other=1&&=2', 'passes'],
    ['tag=%ff', ' utf-8'],
    [`tag=a${'&x'.repeat(256)}`, '/query/x maxParameters'],
  ])('in the query: %s', async (query, expected) => {
    const told = await verdict(shop, get(`/orders?${query}`));
    expect(told).toBe(expected === 'passes' ? expected : `validate_parameters, ${expected.trim()}`);
  });

  const ID = '0f9d1c5e-8d0f-4b43-9d0a-1b2f0c7f9d11';
  test.each<[string, string, [string, string][], string]>([
    ['is in the path', `/orders/${ID}`, [['x-trace', 'a']], 'passes'],
    ['is wrong there', '/orders/7', [['x-trace', 'a']], '/path/id format'],
    ['has an escape there', `/orders/%30${ID.slice(1)}`, [['x-trace', 'a']], 'passes'],
    ['is missing in the head', `/orders/${ID}`, [], '/header/X-Trace required'],
    ['is wrong in the head', `/orders/${ID}`, [['x-trace', 'abcde']], '/header/X-Trace maxLength'],
    [
      'is twice in the head',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['x-trace', 'b'],
      ],
      '/header/X-Trace repeated',
    ],
    [
      'is a list in the head',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['x-flags', '1, 2'],
        ['x-flags', '3'],
      ],
      'passes',
    ],
    [
      'is a wrong list',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['x-flags', '1,x'],
      ],
      '/header/X-Flags/1 type',
    ],
    [
      'is in a cookie',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['cookie', 'a=b; session=abc'],
      ],
      'passes',
    ],
    [
      'is wrong in a cookie',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['cookie', 'session=a'],
      ],
      '/cookie/session minLength',
    ],
    [
      'is in two cookies',
      `/orders/${ID}`,
      [
        ['x-trace', 'a'],
        ['cookie', 'session=abc; session=abd'],
      ],
      '/cookie/session repeated',
    ],
  ])('%s', async (_name, path, headers, expected) => {
    const told = await verdict(shop, { path, headers });
    expect(told).toBe(expected === 'passes' ? expected : `validate_parameters, ${expected}`);
  });

  test('that is not declared is refused where that is asked for', async () => {
    const strict = await open(configOf(SHOP, { unknownQueryParameters: 'Deny' }));
    expect(await verdict(strict, get('/orders?limit=1&filter[size]=1&filter[color]=red&any=1'))).toBe(
      'passes',
    );
    expect(await verdict(strict, get('/orders?limit=1&a~/b=2'))).toBe(
      'validate_parameters, /query/a~0~1b unknown',
    );
    expect(await verdict(strict, get('/orders?filter[other]=1'))).toBe(
      'validate_parameters, /query/filter[other] unknown',
    );
    expect(await verdict(strict, get('/orders/latest?x'))).toBe('validate_parameters, /query/x unknown');
  });
});

describe('a body', () => {
  test.each<[string, unknown, string]>([
    ['without what is only answered', { item: 'tea', secret: 's' }, 'passes'],
    ['with what may be null', { item: 'tea', secret: 's', note: null }, 'passes'],
    ['without what is required', { item: 'tea' }, 'validate_body, /secret required'],
    ['with what is not there', { item: 'tea', secret: 's', x: 1 }, 'validate_body, /x unevaluatedProperties'],
  ])('%s', async (_name, body, expected) => {
    expect(await verdict(shop, post(body))).toBe(expected);
  });

  test('that is missing, or not asked for, is refused', async () => {
    expect(await verdict(shop, { method: 'POST', path: '/orders' })).toBe('validate_body');
    expect(await verdict(shop, { path: '/orders', body: '{}', headers: JSON_BODY })).toBe(
      'validate_unexpected_body',
    );
  });

  test('is held against what its type says most of', async () => {
    const put = (type: string, body: string) =>
      verdict(shop, {
        method: 'PUT',
        path: '/orders/0f9d1c5e-8d0f-4b43-9d0a-1b2f0c7f9d11',
        headers: { 'content-type': type },
        body,
      });
    expect(await put('text/plain', '[')).toBe('passes');
    expect(await put('application/a+json', '[]')).toBe('passes');
    expect(await put('application/a+json', '{}')).toBe('validate_body, type');
    expect(await put('application/json', '{}')).toBe('passes');
    expect(await put('application/json', '[]')).toBe('validate_body, type');
  });

  test('may be of a schema that refers to itself', async () => {
    const tree = (body: unknown) => verdict(shop, post(body, { path: '/tree' }));
    expect(await tree({ children: [{ children: [] }, {}] })).toBe('passes');
    expect(await tree({ children: [{ children: [{ x: 1 }] }] })).toBe(
      'validate_body, /children/0/children/0/x additionalProperties',
    );
  });
});

test('answers are held against their status, and what is only sent is not required of them', async () => {
  const filter = await open(configOf(SHOP, { response: { mode: 'Deny' } }));
  const ask = async (status: number, body: string, type = 'application/json') =>
    (await answerTo(filter, { status, body, headers: { 'content-type': type } }, get('/orders'))).status;
  expect(await ask(200, '[{"id":1,"item":"tea"}]')).toBe(200);
  expect(await ask(200, '[{"item":"tea"}]')).toBe(502);
  expect(await ask(404, '{"status":404}', 'application/problem+json')).toBe(404);
  expect(await ask(404, '{}', 'application/problem+json')).toBe(502);
});

test('a document of OpenAPI 3.0 means what it says there', async () => {
  const filter = await open(
    configOf(`
openapi: 3.0.3
info: {title: a, version: "1"}
paths:
  /orders:
    post:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                a: {type: integer, nullable: true, minimum: 1, exclusiveMinimum: true}
                b: {type: number, maximum: 5, exclusiveMaximum: false}
                c: {$ref: "#/components/schemas/C", maxLength: 0}
      responses: {"200": {description: ok}}
components: {schemas: {C: {type: string}}}
`),
  );
  for (const body of [{ a: null }, { a: 2 }, { b: 5 }, { c: 'text' }])
    expect(await verdict(filter, post(body))).toBe('passes');
  expect(await verdict(filter, post({ a: 1 }))).toBe('validate_body, /a exclusiveMinimum');
  expect(await verdict(filter, post({ b: 6 }))).toBe('validate_body, /b maximum');
});
