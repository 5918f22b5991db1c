import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { everySplit } from '@weir/filters-sdk/testing';
import { JSON_TYPE, answered, cut, ofAnswers, seen } from './open.ts';

const STARS = { replace: '***' };

describe('a value is redacted', () => {
  test.each<[object[], string, string]>([
    [[{ at: ['/a'], ...STARS }], '{"a":1,"b":[1, 2]}', '{"a":"***","b":[1, 2]}'],
    [[{ at: ['/a'], ...STARS }], '{"b":{"a":1},"a" : {"x":[{}]} }', '{"b":{"a":1},"a" : "***" }'],
    [[{ at: ['/a'], ...STARS }], '{"a":1,"a":2,"\\u0061":3}', '{"a":"***","a":"***","\\u0061":"***"}'],
    [[{ at: ['/a/1'], ...STARS }], '{"a":[0,1,[2]]}', '{"a":[0,"***",[2]]}'],
    [[{ at: ['/a/1'], ...STARS }], '{"a":{"1":0,"01":0}}', '{"a":{"1":"***","01":0}}'],
    [
      [{ at: ['/*/b'], ...STARS }],
      '[{"b":1},{"c":{"b":1}},{"b":null}]',
      '[{"b":"***"},{"c":{"b":1}},{"b":"***"}]',
    ],
    [
      [{ at: ['/**/p'], ...STARS }],
      '{"p":1,"a":[{"p":[{"p":2}]},{"q":{"p":"x"}}]}',
      '{"p":"***","a":[{"p":"***"},{"q":{"p":"***"}}]}',
    ],
    [
      [{ at: ['/a/**/b/c'], ...STARS }],
      '{"a":{"b":{"c":1,"b":{"c":2}},"x":[{"b":{"c":3}}]},"b":{"c":4}}',
      '{"a":{"b":{"c":"***","b":{"c":"***"}},"x":[{"b":{"c":"***"}}]},"b":{"c":4}}',
    ],
    [[{ at: ['/**/0'], ...STARS }], '[[1,2],{"0":3}]', '["***",{"0":"***"}]'],
    [
      [{ at: ['/a~1b', '/~0', '/'], ...STARS }],
      '{"a/b":1,"~":2,"":3,"~0":4}',
      '{"a/b":"***","~":"***","":"***","~0":4}',
    ],
    [[{ at: [''], ...STARS }], ' {"a":1} ', ' "***" '],
    [[{ at: [''], keepLast: 2 }], '12345', '"***45"'],
    [[{ at: ['/a'], replace: { x: [null, 1e2] } }], '{"a":1}', '{"a":{"x":[null,100]}}'],
    [
      [{ at: ['/é', '/😀'], ...STARS }],
      '{"é":1,"\\u00e9":2,"\\ud83d\\ude00":3}',
      '{"é":"***","\\u00e9":"***","\\ud83d\\ude00":"***"}',
    ],
    // The first of two rules for one value.
    [
      [
        { at: ['/a'], ...STARS },
        { at: ['/*'], drop: true },
      ],
      '{"a":1,"b":2}',
      '{"a":"***"}',
    ],
  ])('%j of %s', async (redact, text, expected) => {
    expect(await seen(await ofAnswers({ redact }), text)).toBe(expected);
  });

  test.each([
    ['{"a":1}', '{}'],
    ['{"a":1,"b":2}', '{"b":2}'],
    ['{ "a" : 1 , "b" : 2 }', '{  "b" : 2 }'],
    ['{"b":2 , "a":1 }', '{"b":2 }'],
    ['{"b":2,"a":[{}, "]"],"c":{"a":"}"}}', '{"b":2,"c":{}}'],
    ['[{"a":1,"a":2,"b":3},{"b":1,"a":2,"c":3,"a":4}]', '[{"b":3},{"b":1,"c":3}]'],
    ['{"a":1,"b":{"c":1},"d":0}', '{"b":{"c":1},"d":0}'],
    ['{"a":-1.5e3\n,"b":true}', '{\n"b":true}'],
  ])('and dropped with its member: %s becomes %s', async (text, expected) => {
    expect(await seen(await ofAnswers({ redact: [{ at: ['/**/a'], drop: true }] }), text)).toBe(expected);
  });

  test.each([
    ['/0', '[1, 2, 3]', '[ 2, 3]'],
    ['/1', '[1, 2, 3]', '[1, 3]'],
    ['/2', '[1, 2, 3 ]', '[1, 2 ]'],
    ['/*', '[1, 2, 3 ]', '[ ]'],
    ['/*/1', '[[1,2],[3,4,5]]', '[[1],[3,5]]'],
  ])('and dropped with its item: %s of %s', async (at, text, expected) => {
    expect(await seen(await ofAnswers({ redact: [{ at: [at], drop: true }] }), text)).toBe(expected);
  });

  test.each([
    ['"4111111111111111"', '"***1111"'],
    ['"1234567"', '"***"'],
    ['"12345678"', '"***5678"'],
    ['""', '"***"'],
    ['"ééééääää"', '"***ääää"'],
    ['"😀😀😀😀😁😁😁😁"', '"***😁😁😁😁"'],
    ['"aaaa\\ud83d\\ude00\\n\\\\\\""', '"***\\ud83d\\ude00\\n\\\\\\""'],
    ['"aaaab\\ud83d\\ude00\\n\\""', '"***b\\ud83d\\ude00\\n\\""'],
    ['-1234567.5', '"***67.5"'],
    ['true', '"***"'],
    ['[1234567890]', '"***"'],
    [`"${'x'.repeat(5000)}"`, '"***"'],
  ])('and masked: %s becomes %s', async (value, expected) => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], keepLast: 4 }] });
    const { answer } = await answered(filter, [`{"a":${value.slice(0, 3)}`, `${value.slice(3)},"b":1}`]);
    expect(answer.body).toBe(`{"a":${expected},"b":1}`);
    if (value.length < 100) expect(await seen(filter, `{"a":${value}}`)).toBe(`{"a":${expected}}`);
  });
});

describe('what is not redacted', () => {
  const TEXTS = [
    '{"big":123456789012345678901234567890.0e-400,"x":1.10,"x":1.1, "😀":"\\ud800" ,"esc":"\\/\\u0041"}',
    '\ufeff [ ]\r\n',
    ' -0 ',
  ];

  test.each(TEXTS)('stays byte for byte: %s', async (text) => {
    expect(await seen(await ofAnswers({ redact: [{ at: ['/**/none'], drop: true }] }), text)).toBe(text);
    expect(await seen(await ofAnswers({ redact: [{ at: ['/none'], ...STARS }] }), text)).toBe(text);
  });

  /** The same by JSON.parse, for documents whose names differ. */
  function reference(value: unknown, name: string): unknown {
    if (Array.isArray(value)) return value.map((item) => reference(item, name));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'drop')
        .map(([key, item]) => [key, key === name ? '***' : reference(item, name)]),
    );
  }

  test('and what is comes to the same as with a parser, for any document in any pieces', async () => {
    const filter = await ofAnswers({
      redact: [
        { at: ['/**/drop'], drop: true },
        { at: ['/**/secret'], ...STARS },
      ],
    });
    const key = fc.oneof(
      fc.constantFrom('drop', 'secret', 'a', 'se"cret', 'dröp'),
      fc.string({ unit: 'grapheme' }),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium' },
        fc.jsonValue({ maxDepth: 0 }),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(
        tree,
        fc.constantFrom(undefined, 1, '\t'),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        async (document, indent, sizes) => {
          const text = JSON.stringify(document, null, indent);
          const { answer } = await answered(filter, cut(text, sizes));
          expect(JSON.parse(answer.body)).toEqual(reference(JSON.parse(text), 'secret'));
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);
});

describe('what is not JSON', () => {
  test.each([
    'x',
    '{',
    '{"a":1',
    '{"a":1}}',
    '{"a":1} x',
    '{"a":1,}',
    '{,"a":1}',
    '[1,]',
    '[1 2]',
    '{"a" 1}',
    '{a:1}',
    "{'a':1}",
    '01',
    '1.',
    '.5',
    '1e',
    '+1',
    '-',
    'NaN',
    'tru',
    'truex',
    'nulll',
    '"a',
    '"\\x"',
    '"\\u12g4"',
    '"a\nb"',
    '{"a":1}{"a":1}',
    '/* */ 1',
    '\ufeff\ufeff1',
    '[}',
    '{]',
  ])('is not handed on: %s', async (text) => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], drop: true }] });
    for (const parts of everySplit(text)) {
      const exchange = await answered(filter, parts);
      if (exchange.state !== 'reset') expect(exchange.answer.details).toBe('transform_invalid');
    }
  });

  test('is what JSON.parse does not take either, whatever is done to a document', async () => {
    const filter = await ofAnswers({ redact: [{ at: ['/**/a'], drop: true }], maxDepth: 256 });
    const base = Buffer.from(
      '{"a":[1,-0.5e+3,"\\u00e9\\n é😀"],"b":{"a":null,"":[true,false,{}]} , "c":[[],""]}',
    );
    const change = fc.record({
      at: fc.nat(base.length - 1),
      size: fc.nat(1),
      text: fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        ' ',
        '0',
        '1',
        '.',
        'e',
        '-',
        '+',
        '\n',
        '\\u',
        'é',
        'n',
        '\u0001',
      ),
      byte: fc.option(fc.integer({ min: 128, max: 255 }), { freq: 5 }),
    });
    const seenBoth = { taken: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        async (changes, size) => {
          let text = base;
          for (const { at, size: gone, text: put, byte } of changes) {
            const middle = byte === null ? Buffer.from(put) : Buffer.of(byte);
            text = Buffer.concat([text.subarray(0, at), middle, text.subarray(at + gone)]);
          }
          let isJson = true;
          try {
            JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text));
          } catch {
            isJson = false;
          }
          const exchange = await answered(filter, cut(text, [size]));
          const isTaken = exchange.state === 'answered' && exchange.answer.status === 200;
          expect(isTaken).toBe(isJson);
          seenBoth[isJson ? 'taken' : 'refused']++;
          if (isTaken) expect(() => JSON.parse(exchange.answer.body) as unknown).not.toThrow();
        },
      ),
      { numRuns: 500 },
    );
    expect(seenBoth.taken).toBeGreaterThan(10);
    expect(seenBoth.refused).toBeGreaterThan(100);
  }, 60_000);

  test.each([
    ['an overlong form', [0x22, 0xc1, 0xb0, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
    ['half a character', [0x22, 0xc3, 0x22]],
    ['a lone continuation', [0x22, 0x80, 0x22]],
    ['UTF-16', [0x7b, 0, 0x7d, 0]],
  ])('nor what is not UTF-8: %s', async (_name, bytes) => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], drop: true }] });
    const body = Uint8Array.from(bytes);
    const { answer } = await filter.exchange({ response: { headers: JSON_TYPE, body } });
    expect(answer).toMatchObject({ status: 502, details: 'transform_invalid' });
  });

  test('nor what is nested deeper than it may be', async () => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], drop: true }], maxDepth: 3 });
    expect(await seen(filter, '[[[1]]]')).toBe('[[[1]]]');
    expect((await answered(filter, '[[[[]]]]')).answer.status).toBe(502);
  });

  test('nor a name that fills the memory', async () => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], drop: true }] });
    const name = Array.from({ length: 40 }, () => 'x'.repeat(4000));
    const exchange = await answered(filter, ['{"', ...name, '":1}']);
    expect(exchange.state).toBe('reset');
    expect((await answered(filter, ['{"', ...name.slice(30), '":1}'])).answer.body).toHaveLength(40_006);
  });

  test('goes out as it was where that is asked for', async () => {
    const filter = await ofAnswers({ redact: [{ at: ['/a'], drop: true }], onInvalid: 'Pass' });
    expect(await seen(filter, '{"a":1,"b"')).toBe('{"a":1,"b"');
    expect(await seen(filter, '{"a":1,"b":2}')).toBe('{"b":2}');
  });
});
