import { describe, expect, test } from 'vitest';
import { formatPlace } from '../../src/control/diagnostic.ts';
import { compileApi } from '../../src/control/openapi/compile.ts';
import { parseText } from '../../src/control/parse.ts';

/** The document with parts of it in its place, and what is wrong with it: `line:column message`. */
function faultsOf(text: string): string[] {
  const { documents, diagnostics } = parseText('api.yaml', text);
  expect(diagnostics).toEqual([]);
  const compiled = compileApi(documents[0]!);
  expect(compiled.api === null).toBe(compiled.diagnostics.length > 0);
  return compiled.diagnostics.map((fault) => {
    expect(fault.code).toBe('WEIR1214');
    const hint = fault.hint === undefined ? '' : ` (${fault.hint})`;
    return `${formatPlace(fault).replace('api.yaml:', '')} ${fault.message}${hint}`;
  });
}

const api = (paths: string, rest = ''): string =>
  `openapi: 3.1.0\ninfo: {title: a, version: "1"}\n${rest}paths:\n${paths}\n`;
const operation = (fields: string): string => api(`  /a:\n    post: {responses: {}, ${fields}}`);
const schema = (text: string): string =>
  operation(`requestBody: {content: {application/json: {schema: ${text}}}}`);

describe('a document is refused, and told where, that', () => {
  test.each<[string, string, RegExp]>([
    ['is none', 'a: 1\n', /^1:1 this is no OpenAPI document/],
    ['is of Swagger', 'swagger: "2.0"\n', /^1:10 this is Swagger 2\.0/],
    ['is of another version', 'openapi: 4.0.0\n', /^1:10 weir reads OpenAPI 3\.0 and 3\.1/],
    ['has no paths', 'openapi: 3.1.0\n', /no paths/],
    [
      'has a field that is misspelled',
      api('  /a: {gett: {}}'),
      /^4:8 a path has no field "gett" \(did you mean "get"\?\)/,
    ],
    ['has a path without a slash', api('  a: {}'), /^4:3 a path begins with a slash/],
    ['has a name in a part of a path', api('  /a.{b}: {}'), /whole part between slashes/],
    ['has one path twice', api('  /{a}: {}\n  /{b}: {}'), /^5:3 the same paths as \/\{a\}/],
    ['has a name without a parameter', api('  /{a}: {get: {responses: {}}}'), /\{a\}, and no parameter/],
    ['has a parameter without a name', operation('parameters: [{in: query}]'), /needs a name/],
    [
      'has one in another place',
      operation('parameters: [{name: a, in: body}]'),
      /^5:\d+ a parameter is in one of/,
    ],
    [
      'has one twice',
      operation('parameters: [{name: a, in: query, schema: {}}, {name: a, in: query, schema: {}}]'),
      /is there twice/,
    ],
    [
      'has one that the path has not',
      operation('parameters: [{name: b, in: path, required: true, schema: {}}]'),
      /the path has no \{b\}/,
    ],
    [
      'has one of a style that is not read',
      operation('parameters: [{name: b, in: query, style: matrix, schema: {}}]'),
      /style matrix \(x-weir-unchecked/,
    ],
    [
      'has an object in a header',
      operation('parameters: [{name: b, in: header, schema: {type: object}}]'),
      /deepObject/,
    ],
    [
      'has a parameter with content',
      operation('parameters: [{name: b, in: query, content: {}}]'),
      /with a schema alone/,
    ],
    ['refers to another file', schema('{$ref: "b.yaml#/A"}'), /^5:\d+ "b\.yaml#\/A" is in another document/],
    ['refers to nothing', schema('{$ref: "#/components/schemas/A"}'), /leads to nothing/],
    ['refers to itself', api('  /a: {$ref: "#/paths/~1a"}'), /leads back to itself/],
    [
      'has a keyword that is misspelled',
      schema('{requierd: [a]}'),
      /^5:\d+ a schema has no keyword "requierd" \(did you mean "required"\?\)/,
    ],
    ['has a type that is none', schema('{type: strng}'), /no type "strng" \(did you mean "string"\?\)/],
    ['has a pattern that looks ahead', schema('{pattern: "(?=a)"}'), /pattern cannot be used/],
    ['has nullable in 3.1', schema('{type: string, nullable: true}'), /"nullable" is of OpenAPI 3\.0/],
    ['has a keyword with a wrong value', schema('{minimum: a}'), /cannot be used/],
    ['has a body without content', operation('requestBody: {}'), /needs content/],
    ['has a media type that is none', operation('requestBody: {content: {json: {}}}'), /no media type/],
    ['has a status that is none', api('  /a: {get: {responses: {"2000": {}}}}'), /no status/],
  ])('%s', (_name, text, told) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(told);
  });
});

test('all faults are told at once', () => {
  const faults = faultsOf(api('  /a: {gett: {}, get: {responses: {x: {}}}}\n  b: {}'));
  expect(faults).toHaveLength(3);
});

const pathsOf = (text: string): string[] =>
  compileApi(parseText('a', text).documents[0]!).api!.operations.map(({ path }) => path);

test('the more specific path comes first', () => {
  const one = (name: string): string =>
    `parameters: [{name: ${name}, in: path, required: true, schema: {}}], get: {responses: {}}`;
  const text = api(
    `  /{a}: {${one('a')}}\n  /b: {get: {responses: {}}}\n  /b/{a}: {${one('a')}}\n  /b/c: {get: {responses: {}}}`,
  );
  expect(pathsOf(text)).toEqual(
    ['/b', '/b/c', '/b/{a}', '/{a}'].sort((x, y) => pathsOf(text).indexOf(x) - pathsOf(text).indexOf(y)),
  );
  const order = pathsOf(text);
  expect(order.indexOf('/b/c')).toBeLessThan(order.indexOf('/b/{a}'));
  expect(order.indexOf('/b')).toBeLessThan(order.indexOf('/{a}'));
});

test.each([
  ['https://a.test/v1/', '/v1'],
  ['/v2', '/v2'],
  ['v3', '/v3'],
  ['https://{host}.test', ''],
  ['https://a.test/{version}', null],
])('the base path of a server at %s is %j', (url, expected) => {
  const text = api('  /a: {}', `servers: [{url: "${url}"}]\n`);
  expect(compileApi(parseText('a', text).documents[0]!).api!.basePath).toBe(expected);
});
