import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { FilterSchema } from '../../src/control/filter-schema.ts';

const messages = (schema: object, config: unknown) =>
  new FilterSchema(schema).check(config).map(({ path, message }) => [path.join('/'), message]);

describe('the message says what the author has to mend', () => {
  const either = {
    anyOf: [
      { type: 'string', pattern: '^a' },
      {
        type: 'object',
        required: ['x'],
        additionalProperties: false,
        properties: { x: { type: 'integer' } },
      },
    ],
  };
  test.each([
    ['a string takes the string form', either, 'b', [['', 'config must match ^a, got "b"']]],
    ['a mapping takes the mapping form', either, {}, [['', 'config needs the field "x"']]],
    [
      'the form that got furthest counts',
      either,
      { x: 'y' },
      [['x', 'config.x must be an integer, got "y"']],
    ],
    ['no form has the type', either, 1, [['', 'config fits none of the forms that it may have, got 1']]],
    [
      'forms that differ in one field',
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      { a: 1, b: 2 },
      [['', 'config needs exactly one of the fields a, b']],
    ],
    [
      'a condition is not told beside what it asks for',
      { if: { required: ['a'] }, then: { required: ['b'] } },
      { a: 1 },
      [['', 'config needs the field "b"']],
    ],
    [
      'a field that excludes another',
      { required: ['a'], not: { anyOf: [{ required: ['b'] }, { required: ['c'] }] } },
      { a: 1, c: 2 },
      [['c', 'config must not have the field "c"']],
    ],
    ['a value that may not be', { not: { const: 'host' } }, 'host', [['', 'config may not be "host"']]],
    [
      'a name that may not be, told once',
      { propertyNames: { $ref: '#/$defs/name' }, $defs: { name: { not: { const: 'host' } } } },
      { host: 1 },
      [['host', 'config must not have the field "host"']],
    ],
    [
      'names of fields',
      { propertyNames: { pattern: '^[a-z]+$' } },
      { ok: 1, 'Not ok': 1 },
      [['Not ok', 'config must not have the field "Not ok"']],
    ],
    [
      'an empty list',
      { properties: { a: { minItems: 1 } } },
      { a: [] },
      [['a', 'config.a must not be empty']],
    ],
    [
      'a range',
      { items: { type: 'integer', minimum: 1, maximum: 5 } },
      [1, 9],
      [['1', 'config[1] must be 1..5, got 9']],
    ],
    [
      'a range of another type',
      { items: { type: 'integer', minimum: 1, maximum: 5 } },
      ['high'],
      [['0', 'config[0] must be an integer 1..5, got "high"']],
    ],
    [
      'a pointer with escapes',
      { properties: { 'a/b~c': { type: 'string' } } },
      { 'a/b~c': 1 },
      [['a/b~c', 'config.a/b~c must be a string, got 1']],
    ],
  ] as const)('%s', (_what, schema, config, expected) => {
    expect(messages(schema, config)).toEqual(expected);
  });

  test('a time zone that there is not, with the nearest', () => {
    const schema = new FilterSchema({ type: 'string', 'x-weir-time-zone': true });
    expect(schema.check('Europe/Berlin')).toEqual([]);
    expect(schema.check('Europe/Berln')).toMatchObject([
      {
        message: 'config must be a time zone of the IANA database such as Europe/Berlin, got "Europe/Berln"',
        hint: 'did you mean "Europe/Berlin"?',
      },
    ]);
  });

  test('the nearest field is suggested', () => {
    const [fault] = new FilterSchema({ properties: { requests: {} }, additionalProperties: false }).check({
      request: 1,
    });
    expect(fault).toMatchObject({ path: ['request'], key: true, hint: 'did you mean "requests"?' });
  });
});

test('no value of a configuration that may hold secrets is shown', () => {
  const schema = new FilterSchema({
    properties: { key: { type: 'string', writeOnly: true, maxLength: 3 }, on: { enum: ['a'] } },
  });
  expect(schema.secret).toBe(true);
  const faults = schema.check({ key: 1234, on: 'hush' });
  expect(faults).toHaveLength(2);
  for (const fault of faults) expect(fault.message).not.toMatch(/hush|1234/);
});

test('the phase of a filter is that of its schema', () => {
  expect(new FilterSchema({ 'x-weir-phase': 'authn' }).phase).toBe('authn');
  expect(new FilterSchema({ 'x-weir-phase': 'nonsense' }).phase).toBeNull();
  expect(new FilterSchema({}).phase).toBeNull();
});

test('a filter takes bodies where the member that says so is in its configuration, or in one of its rules', () => {
  const schema = new FilterSchema({ 'x-weir-body-member': 'body' });
  expect(schema.takesBodies({ body: {} })).toBe(true);
  expect(schema.takesBodies({ request: [{ path: {} }], response: [{}, { body: {} }] })).toBe(true);
  expect(schema.takesBodies({ request: [{ path: { body: 1 } }] })).toBe(false);
  expect(schema.takesBodies({ name: 'body' })).toBe(false);
  expect(schema.takesBodies(undefined)).toBe(false);
  expect(new FilterSchema({}).takesBodies({ body: {} })).toBeNull();
});

const filters = new URL('../../src/filters/', import.meta.url);

test.each(await readdir(filters))(
  'the schema of the built-in filter %s can be used and names a phase',
  async (name) => {
    const text = await readFile(new URL(`${name}/schema.json`, filters), 'utf8');
    expect(new FilterSchema(JSON.parse(text) as object).phase).not.toBeNull();
  },
);
