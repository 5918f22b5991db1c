import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SchemaError, SchemaResource } from '../../src/runtime/json-schema.ts';

const check = (schema: unknown, document: unknown, most = 8): string[] =>
  new SchemaResource(schema)
    .compile()
    .check(document, most)
    .map(({ pointer, rule }) => `${pointer} ${rule}`);

function faultOf(schema: unknown, fragment = ''): SchemaError {
  try {
    new SchemaResource(schema).compile(fragment);
  } catch (error) {
    if (error instanceof SchemaError) return error;
    throw error;
  }
  throw new Error('the schema was taken');
}

test('tells each place that is wrong with its rule, up to as many as are wanted, and no value', () => {
  const schema = {
    type: 'object',
    required: ['a', 'b/c'],
    additionalProperties: false,
    properties: { a: { type: 'integer', maximum: 5 }, 'b/c': true, d: { items: { type: 'string' } } },
  };
  const document = { a: 9, d: ['x', 1, 2], e: 'secret' };
  const all = check(schema, document);
  expect(all.sort()).toEqual([
    '/a maximum',
    '/b~1c required',
    '/d/1 type',
    '/d/2 type',
    '/e additionalProperties',
  ]);
  expect(check(schema, document, 2)).toHaveLength(2);
  expect(check(schema, document, 1)).toHaveLength(1);
  expect(check(schema, { a: 5, 'b/c': null })).toEqual([]);
});

test('a member is there only where the document has it, whatever objects have of their own', () => {
  expect(check({ required: ['constructor'] }, {})).toEqual(['/constructor required']);
  expect(check({ properties: { toString: { type: 'string' } } }, {})).toEqual([]);
  const hidden = JSON.parse('{"__proto__": 1}') as object;
  expect(check({ additionalProperties: false }, hidden)).toEqual(['/__proto__ additionalProperties']);
});

test('a long pointer is cut', () => {
  const [only] = new SchemaResource({ additionalProperties: false })
    .compile()
    .check({ ['x'.repeat(5000)]: 1 }, 8);
  expect(only!.pointer).toHaveLength(201);
});

test('a schema in a resource is meant by its pointer', () => {
  const resource = new SchemaResource({
    $defs: { 'a b': { type: 'string', maxLength: 1 }, c: { $ref: '#/$defs/a%20b' } },
  });
  expect(resource.compile('/$defs/c').check('xx', 8)).toEqual([{ pointer: '', rule: 'maxLength' }]);
  expect(resource.compile('/$defs/c').check('x', 8)).toEqual([]);
  expect(() => resource.compile('/$defs/d')).toThrow(SchemaError);
});

describe('a schema is refused that', () => {
  test.each<[string, unknown, RegExp]>([
    ['is none', 'text', /a schema is an object/],
    ['refers to another document', { $ref: 'https://a.test/b.json' }, /a\.test/],
    ['refers to nothing', { $ref: '#/$defs/a' }, /#\/\$defs\/a/],
    ['is of another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, /draft-07/],
    ['has a keyword that is not known', { typ: 'string' }, /typ/],
    ['has a format that is not known', { format: 'color' }, /color/],
    ['has a type that is none', { type: 'text' }, /enum: array,/],
    ['has a pattern that cannot be matched in linear time', { pattern: '(a)\\1' }, /pattern/],
    ['looks ahead', { patternProperties: { '(?=a)': true } }, /pattern/],
    ['waits', { $async: true, type: 'string' }, /\$async/],
  ])('%s', (_name, schema, message) => {
    expect(faultOf(schema).message).toMatch(message);
  });

  test('and says where, as far as the meta-schema does', () => {
    expect(faultOf({ properties: { a: { minimum: 'x' } } }).pointer).toBe('/properties/a/minimum');
  });
});

describe('what a document may cost is bounded:', () => {
  test('a pattern with which other engines take for ever', () => {
    const slow = { pattern: '^(a+)+$' };
    expect(check(slow, `${'a'.repeat(50_000)}b`)).toEqual([' pattern']);
    expect(check(slow, 'aaa')).toEqual([]);
  });

  test('many items that differ are as quick as few, and equal ones are found whatever the order of their members', () => {
    const unique = { uniqueItems: true };
    const many = Array.from({ length: 50_000 }, (_, i) => ({ a: i, b: [i] }));
    expect(check(unique, many)).toEqual([]);
    expect(check(unique, [...many, { b: [7], a: 7 }])).toEqual([' uniqueItems']);
    expect(check(unique, [1, '1', true, null, [], {}])).toEqual([]);
  });

  test('a schema that branches at each level of itself', () => {
    const node = {
      anyOf: [
        { properties: { n: { $ref: '#' } }, required: ['x'] },
        { properties: { n: { $ref: '#' } }, required: ['y'] },
      ],
    };
    let deep: object = {};
    for (let i = 0; i < 40; i++) deep = { n: deep, z: 1 };
    expect(check(node, deep)).toEqual([' complexity']);
    expect(check(node, { n: { x: 1 }, y: 1 })).toEqual([]);
    // The next document begins anew.
    expect(check(node, { x: 1 })).toEqual([]);
  });

  test('a document that is deeper than the stack', () => {
    let deep: object = {};
    for (let i = 0; i < 100_000; i++) deep = { n: deep };
    expect(check({ properties: { n: { $ref: '#' } } }, deep)).toEqual([' complexity']);
  });
});

describe('a format', () => {
  test.each<[string, unknown[], unknown[]]>([
    [
      'date',
      ['2024-02-29', '1999-12-31'],
      ['2023-02-29', '2023-13-01', '2023-00-10', '2023-1-1', '0000-01-00'],
    ],
    [
      'time',
      ['10:00:00Z', '23:59:60Z', '10:00:00.5+01:00'],
      ['24:00:00Z', '10:00:00', '10:61:00Z', '10:00:60Z'],
    ],
    [
      'date-time',
      ['2024-02-29T10:00:00Z', '2024-02-29t10:00:00.123-05:30'],
      ['2024-02-29 10:00:00Z', '2024-02-30T10:00:00Z'],
    ],
    ['uuid', ['0f9d1c5e-8d0f-4b43-9d0a-1b2f0c7f9d11'], ['0f9d1c5e8d0f4b439d0a1b2f0c7f9d11', 'x']],
    ['email', ['a.b+c@example.com'], ['a@', '@a.test', 'a..b@a.test', 'a b@a.test', 'a@-a.test']],
    ['hostname', ['a.example', 'localhost'], ['-a', 'a..b', `${'a'.repeat(64)}.test`]],
    ['ipv4', ['192.0.2.1'], ['192.0.2.256', '1.2.3']],
    ['ipv6', ['2001:db8::1'], ['2001:db8::g', 'fe80::1%eth0']],
    ['uri', ['https://a.test/b?c=%20#d', 'urn:a:b'], ['/a', 'https://a b', 'https://a/%2']],
    ['json-pointer', ['', '/a~1b'], ['a', '/a~2']],
    ['byte', ['', 'YQ==', 'YWI='], ['YQ', 'Y=Q=', '!!!!']],
    ['int32', [2147483647, -2147483648], [2147483648, 1.5]],
    ['int64', [9007199254740991], [1e19, 0.5]],
    ['float', [1.5], [1e39]],
    ['password', ['x'], []],
  ])('%s', (format, right, wrong) => {
    for (const value of right) expect([value, check({ format }, value)]).toEqual([value, []]);
    for (const value of wrong) expect([value, check({ format }, value)]).toEqual([value, [' format']]);
  });
});

test('uniqueItems says what comparing each item with each other says', () => {
  const equal = (a: unknown, b: unknown): boolean => {
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
    if (Array.isArray(a) !== Array.isArray(b)) return false;
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every(
        (n) =>
          Object.hasOwn(b, n) && equal((a as Record<string, unknown>)[n], (b as Record<string, unknown>)[n]),
      )
    );
  };
  const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(json, fc.constantFrom(1, [], {}, [1], { a: 1 })), { maxLength: 6 }),
      (raw) => {
        // -0 and 0 are one number of JSON.
        const items = JSON.parse(JSON.stringify(raw)) as unknown[];
        const distinct = items.every((a, i) => items.every((b, j) => i === j || !equal(a, b)));
        expect(check({ uniqueItems: true }, items)).toEqual(distinct ? [] : [' uniqueItems']);
      },
    ),
  );
});
