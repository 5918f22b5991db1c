import { describe, expect, test } from 'vitest';
import { NEED_MORE, REFUSED } from '../../../src/runtime/http/parse.ts';
import { everyByte, field, readHead, request } from '../../support/head.ts';

describe('a field line', () => {
  test.each([
    ['X: y', 'y'],
    ['X:y', 'y'],
    ['X:', ''],
    ['X: ', ''],
    ['X: \t \t', ''],
    ['X: \t y \t', 'y'],
    ['X: a b\tc', 'a b\tc'],
    ['X: "a:b"; c=d, e', '"a:b"; c=d, e'],
    ['X: :', ':'],
    ['X: \x80\xff', '\x80\xff'],
    ['X: \xa0y\x85', '\xa0y\x85'],
  ])('%j has the value %j', (line, value) => {
    expect(field(readHead(request(line)), 'x')).toBe(value);
  });

  test.each([
    ['X y: z', 'space before colon'],
    ['X : y', 'space before colon'],
    ['X\t: y', 'space before colon'],
    [': y', 'empty field name'],
    ['X', 'field line without colon'],
    ['X(: y', 'bad byte in field name'],
    ['X\0: y', 'bad byte in field name'],
    ['X\x7f: y', 'bad byte in field name'],
    ['\x80X: y', 'bad byte in field name'],
    ['"X": y', 'bad byte in field name'],
    ['X[0]: y', 'bad byte in field name'],
    ['X: y\0', 'bad byte in field value'],
    ['X: \x01', 'bad byte in field value'],
    ['X: \x0b', 'bad byte in field value'],
    ['X: \x1f long enough to be skipped word by word', 'bad byte in field value'],
    ['X: a\x7f long enough to be skipped word by word', 'bad byte in field value'],
    ['X: y\rz', 'bare cr'],
    ['X: y\r\rz', 'bare cr'],
    ['X: y\nZ: a', 'bare lf'],
    ['X\r\n: y', 'field line without colon'],
    ['X\nY: z', 'bare lf'],
    ['\nX: y', 'bare lf'],
    ['\rX: y', 'bare cr'],
    ['X: y\r\n folded', 'folded field line'],
    ['X: y\r\n\tfolded', 'folded field line'],
    [' X: y', 'folded field line'],
  ])('%j is refused: %s', (line, reason) => {
    const text = request(line);
    expect(readHead(text)).toMatchObject({ end: REFUSED, refusal: 400, reason });
    expect(readHead(text, { cuts: everyByte(text) })).toMatchObject({ end: REFUSED, refusal: 400, reason });
  });

  test('is looked at byte by byte: each of the 256 bytes, at each place in a word of a value', () => {
    for (let byte = 0; byte < 256; byte++) {
      const allowed = byte === 9 || (byte >= 0x20 && byte !== 0x7f);
      for (let before = 0; before < 8; before++) {
        const line = `X: a${'b'.repeat(before)}${String.fromCharCode(byte)}${'c'.repeat(8 - before)}`;
        expect(readHead(request(line)).end > 0, `byte ${byte} after ${before}`).toBe(allowed);
      }
    }
  });

  test('is looked at byte by byte: each of the 256 bytes in a name', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      // A colon ends the name, and an underscore is a matter of policy.
      if (character === ':' || character === '_') continue;
      const allowed = /[-!#$%&'*+.^`|~0-9A-Za-z]/.test(character);
      expect(readHead(request(`X${character}Y: z`)).end > 0, `byte ${byte}`).toBe(allowed);
    }
  });

  test('keeps the order and all values of a name', () => {
    const head = readHead(request('A: 1', 'B: 2', 'a: 3'));
    expect(head.fields.slice(4)).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]);
  });

  test('may be named like a member of every object', () => {
    const head = readHead(request('__proto__: 1', 'constructor: 2', 'toString: 3'), {
      limits: { underscores: 'allow' },
    });
    expect(head.fields.slice(4)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['tostring', '3'],
    ]);
  });
});

describe('names with an underscore', () => {
  test.each([
    ['reject', REFUSED],
    ['drop', undefined],
    ['allow', 'y'],
  ] as const)('%s', (underscores, expected) => {
    const head = readHead(request('X_A: y', 'X-B: z'), { limits: { underscores } });
    if (expected === REFUSED) {
      expect(head).toMatchObject({ end: REFUSED, refusal: 400, reason: 'underscore in field name' });
      return;
    }
    expect(field(head, 'x_a')).toBe(expected);
    expect(field(head, 'x-b')).toBe('z');
  });

  test('fall under the policy where the rest of the name is known too', () => {
    expect(readHead(request('X-Forwarded-F_r: y')).refusal).toBe(400);
  });

  test('pass in answers', () => {
    const head = readHead('HTTP/1.1 200 OK\r\nX_A: y\r\n\r\n', { kind: 'answer' });
    expect(field(head, 'x_a')).toBe('y');
  });

  test.each(['Content_Length', 'content.length', 'CONTENT~LENGTH', "Transfer'Encoding", 'transfer_encoding'])(
    '%s is refused in every mode, both ways: a server may take it for the real one',
    (name) => {
      for (const underscores of ['reject', 'drop', 'allow'] as const) {
        const limits = { underscores };
        expect(readHead(request(`${name}: 1`), { limits }).refusal).toBe(400);
        expect(readHead(`HTTP/1.1 200 OK\r\n${name}: 1\r\n\r\n`, { limits, kind: 'answer' }).refusal).toBe(
          502,
        );
      }
    },
  );
});

describe('limits of a head', () => {
  test('a field line may have as many bytes as the limit says', () => {
    const limits = { fieldBytes: 20 };
    expect(readHead(request(`X: ${'y'.repeat(17)}`), { limits }).end).toBeGreaterThan(0);
    for (const line of [
      `X: ${'y'.repeat(18)}`,
      `X:${' '.repeat(19)}`,
      `${'X'.repeat(20)}:`,
      'X'.repeat(21),
    ]) {
      expect(readHead(request(line), { limits })).toMatchObject({ refusal: 431, reason: 'field too long' });
    }
  });

  test('a field that is too long is refused as soon as that is known', () => {
    const limits = { fieldBytes: 20 };
    const text = `GET / HTTP/1.1\r\nX: ${'y'.repeat(17)}`;
    expect(readHead(text, { limits }).end).toBe(NEED_MORE);
    expect(readHead(`${text}y`, { limits })).toMatchObject({ end: REFUSED, refusal: 431 });
  });

  test('as many fields as the limit says, those left out included', () => {
    const limits = { fields: 3 };
    expect(readHead(request('Connection: close', 'TE: x'), { limits }).end).toBeGreaterThan(0);
    expect(readHead(request('Connection: close', 'TE: x', 'X: y'), { limits })).toMatchObject({
      refusal: 431,
      reason: 'too many fields',
    });
  });

  test('the whole head, blank line included, counted from the request line', () => {
    const text = `\r\n\r\n${request('X: y')}`;
    const size = text.length - 4;
    for (const cuts of [[], everyByte(text)]) {
      expect(readHead(text, { limits: { headBytes: size }, cuts }).end).toBe(text.length);
      const head = readHead(text, { limits: { headBytes: size - 1 }, cuts });
      expect(head).toMatchObject({ refusal: 431, reason: 'head too large' });
    }
  });

  test('count from the request line also where a piece ended among the empty lines before it', () => {
    const text = `\r\n\r\n${request('X: y')}`;
    const limits = { headBytes: text.length - 4 };
    for (const cut of [1, 2, 3, 4]) expect(readHead(text, { limits, cuts: [cut] }).end).toBe(text.length);
  });

  test('hold for answers too, with 502', () => {
    const text = 'HTTP/1.1 200 OK\r\nX: y\r\n\r\n';
    for (const limits of [{ headBytes: text.length - 1 }, { fields: 0 }, { fieldBytes: 3 }]) {
      expect(readHead(text, { kind: 'answer', limits })).toMatchObject({ end: REFUSED, refusal: 502 });
    }
  });
});
