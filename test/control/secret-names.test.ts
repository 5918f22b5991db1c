import { expect, test } from 'vitest';
import { secretNamesIn } from '../../src/control/secret-names.ts';

const SECRET = { type: 'string', writeOnly: true };

test.each([
  ['a field', { properties: { pin: SECRET, open: { type: 'string' } } }, ['pin']],
  ['a field within another', { properties: { at: { properties: { pin: SECRET } } } }, ['pin']],
  ['what a field refers to', { $defs: { s: SECRET }, properties: { pin: { $ref: '#/$defs/s' } } }, ['pin']],
  ['elements of a list', { properties: { pins: { items: SECRET } } }, ['pins']],
  ['values of a map', { properties: { pins: { additionalProperties: SECRET } } }, ['pins']],
  [
    'values by the pattern of their name',
    { properties: { p: { patternProperties: { '^a': SECRET } } } },
    ['p'],
  ],
  ['one of several forms', { properties: { pin: { anyOf: [{ type: 'null' }, SECRET] } } }, ['pin']],
  ['a field of one of several forms', { oneOf: [{ properties: { pin: SECRET } }, {}] }, ['pin']],
  [
    'a field of a part that is used',
    { $defs: { p: { properties: { pin: SECRET } } }, $ref: '#/$defs/p' },
    ['pin'],
  ],
  ['the whole', { ...SECRET }, ['*']],
  ['the elements of the whole', { items: SECRET }, ['*']],
  ['nothing', { properties: { writeOnly: { type: 'boolean' } } }, []],
])('of a schema that marks %s', (_, schema, names) => {
  expect(secretNamesIn(schema)).toEqual(names);
});

test('a schema that refers to itself many times is read once', () => {
  const self = Array.from({ length: 30 }, () => ({ $ref: '#' }));
  expect(secretNamesIn({ anyOf: self, properties: { next: { allOf: self }, pin: SECRET } })).toEqual(['pin']);
});
