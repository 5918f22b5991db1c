import { beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import { pluginBytes } from '../support/plugin.ts';

let module: Buffer;
beforeAll(() => {
  module = pluginBytes('config-kit');
});

/** What the reader makes of a text: the value printed again, or the fault. */
async function parse(text: string): Promise<string> {
  const { logs } = await openFilter(module, { vmConfig: text });
  return logs[0]!.message.replace('configuration ', '');
}

async function read(config: string): Promise<string[]> {
  const { logs } = await openFilter(module, { config });
  return logs.map(({ message }) => message.replace('configuration ', ''));
}

describe('parseJson', () => {
  test.each([
    ['null', 'null'],
    [' [ true , false ]\r\n\t', '[true,false]'],
    ['{"a":{"b":[1,{"c":"d"}]},"":[]}', '{a:{b:[1.0,{c:"d"}]},:[]}'],
    [
      '[0,1,-12,3.25,-0.5,1e3,1E+2,25e-1,0.1,123456789012345,1e22]',
      '[0.0,1.0,-12.0,3.25,-0.5,1000.0,100.0,2.5,0.1,123456789012345.0,1e+22]',
    ],
    ['"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00é€😀"', '"a"\\/\b\f\n\r\té€😀é€😀"'],
  ])('reads %s', async (text, expected) => {
    expect(await parse(text)).toBe(expected);
  });

  test.each([
    ['{', '1:2: expected a name in quotes'],
    ['{"a"', "1:5: expected ':'"],
    ['{"a":', '1:6: expected a value'],
    ['{"a":1', "1:7: expected ',' or '}'"],
    ['{"a":1,}', '1:8: expected a name in quotes'],
    ['{a:1}', '1:2: expected a name in quotes'],
    ['{"a":1,\n "a":2}', '2:2: this name stands twice in its object'],
    ['[1,]', '1:4: expected a value'],
    ['[1 2]', "1:4: expected ',' or ']'"],
    ['[1] x', '1:5: expected the end of the text'],
    ['01', '1:2: a number must not begin with 0'],
    ['+1', '1:1: expected a value'],
    ['-', '1:2: expected a value'],
    ['1.', '1:3: expected a value'],
    ['.5', '1:1: expected a value'],
    ['1e', '1:3: expected a value'],
    ['tru', '1:4: expected a value'],
    ['NaN', '1:1: expected a value'],
    ["'a'", '1:1: expected a value'],
    ['"a', '1:3: the string does not end'],
    ['"é\n"', '1:3: a control character must be escaped'],
    ['"\\x"', '1:3: this escape is not known'],
    ['"\\u12g4"', '1:6: expected four hexadecimal digits'],
    ['"\\ud800"', '1:8: not a character'],
    ['"\\ude00"', '1:8: not a character'],
    ['"\\ud800\\u0041"', '1:14: not a character'],
    ['['.repeat(40), '1:34: nested too deeply'],
  ])('refuses %j', async (text, fault) => {
    expect(await parse(text)).toBe(fault);
  });

  test.each([
    ['1s', '1000ms'],
    ['1500ms', '1500ms'],
    ['1h30m', '5400000ms'],
    ['1d2h3m4s5ms', '93784005ms'],
    ['0s', '0ms'],
    ['1m1m', '"1m1m"'],
    ['1s1m', '"1s1m"'],
    ['1', '"1"'],
    ['s', '"s"'],
    ['1.5s', '"1.5s"'],
    ['-1s', '"-1s"'],
    ['1 s', '"1 s"'],
    ['1us', '"1us"'],
    ['9999999999999999s', '"9999999999999999s"'],
  ])('the duration %s is %s', async (text, expected) => {
    expect(await parse(`"${text}"`)).toBe(expected);
  });
});

describe('readConfig', () => {
  test('takes what was left out for granted', async () => {
    expect(await read('')).toEqual(['3 none true 5000 0 -1 0 true']);
    expect(await read('{}')).toEqual(['3 none true 5000 0 -1 0 true']);
  });

  test('reads every kind', async () => {
    const config = {
      level: -5,
      name: 'é',
      on: false,
      after: '1m',
      mode: 'second',
      nested: { deep: 9 },
      list: [1, 2],
    };
    expect(await read(JSON.stringify(config))).toEqual(['-5 é false 60000 1 9 2 true']);
  });

  test('tells every fault with its place', async () => {
    const text = `{
  "level": 6,
  "name": 1,
  "on": "yes",
  "after": "2m",
  "mode": "third",
  "nested": {"depth": 1},
  "list": {},
  "é": 0
}`;
    expect(await read(text)).toEqual([
      '2:12: level: expected a whole number from -5 to 5',
      '3:11: name: expected a string',
      '4:9: on: expected true or false',
      '5:12: after: expected from 1 to 60000 ms',
      '6:11: mode: expected one of: first, second',
      '7:13: nested: "deep" is required',
      '8:11: list: expected an array',
      '9:8: é: unknown field',
      '7:23: nested.depth: unknown field',
      '-5  false 1 0 -1 0 false',
    ]);
  });

  test.each([
    ['[]', '1:1: expected an object'],
    ['{', '1:2: expected a name in quotes'],
  ])('refuses %s', async (text, fault) => {
    expect((await read(text))[0]).toBe(fault);
  });
});
