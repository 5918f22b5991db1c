import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  protobufBool,
  protobufBytes,
  protobufField,
  ProtobufReader,
} from '../../../src/runtime/wasm/protobuf.ts';

/** What a reader makes of a message: numbers and values of its fields, or null where it refuses it. */
function read(bytes: Uint8Array): [number, string | number][] | null {
  const fields: [number, string | number][] = [];
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    if (reader.isBytes) fields.push([reader.field, reader.bytes().toString('latin1')]);
    else if (reader.isVarint) fields.push([reader.field, reader.int32]);
    else fields.push([reader.field, '?']);
  }
  return reader.failed ? null : fields;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('fields of a message', () => {
  test.each<[string, Uint8Array, [number, string | number][]]>([
    ['none', bytes(), []],
    ['a varint', bytes(0x08, 0x96, 0x01), [[1, 150]]],
    [
      'a negative enumeration',
      bytes(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
      [[1, -1]],
    ],
    ['a varint that is longer than it need be', bytes(0x08, 0x81, 0x00), [[1, 1]]],
    ['text', bytes(0x12, 2, 0x68, 0x69), [[2, 'hi']]],
    ['empty text', bytes(0x12, 0), [[2, '']]],
    [
      'eight and four bytes',
      bytes(0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4),
      [
        [1, '?'],
        [2, '?'],
      ],
    ],
    [
      'a group, passed over whole',
      bytes(0x0b, 0x10, 1, 0x0c, 0x18, 7),
      [
        [1, '?'],
        [3, 7],
      ],
    ],
    ['a field of a high number', bytes(0xfa, 0xff, 0xff, 0xff, 0x0f, 1, 0x78), [[0x1fff_ffff, 'x']]],
  ])('%s', (_name, message, fields) => {
    expect(read(message)).toEqual(fields);
  });

  test.each([
    ['a tag that is cut', bytes(0x88)],
    ['a varint that is cut', bytes(0x08, 0x80)],
    ['a varint of eleven bytes', bytes(0x08, ...Array<number>(10).fill(0x80), 0)],
    ['text that is cut', bytes(0x12, 3, 0x68, 0x69)],
    ['text of 4 GiB', bytes(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['field 0', bytes(0x02, 0)],
    ['wire type 6', bytes(0x0e, 0)],
    ['eight bytes that are cut', bytes(0x09, 1, 2, 3)],
    ['the end of a group without a beginning', bytes(0x0c)],
    ['a group without an end', bytes(0x0b, 0x10, 1)],
    ['a group that another ends', bytes(0x0b, 0x14)],
    ['groups in groups without end', Buffer.alloc(10_000, 0x0b)],
  ])('%s is refused', (_name, message) => {
    expect(read(message)).toBeNull();
  });

  test('text that is not UTF-8 is refused, bytes are not', () => {
    const reader = new ProtobufReader(bytes(0x0a, 1, 0xff));
    expect(reader.next()).toBe(true);
    expect([...reader.bytes()]).toEqual([0xff]);
    expect(reader.failed).toBe(false);
    reader.text();
    expect(reader.failed).toBe(true);
  });

  test('is read back as it was written', () => {
    const field = fc.record({
      number: fc.integer({ min: 1, max: 500 }),
      value: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
        const message = Buffer.concat(fields.map(({ number, value }) => protobufBytes(number, value)));
        expect(read(message)).toEqual(
          fields.map(({ number, value }) => [number, Buffer.from(value).toString('latin1')]),
        );
      }),
    );
  });

  test('any bytes end, within their length, and what is read lies inside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        const reader = new ProtobufReader(message);
        let fields = 0;
        while (reader.next()) {
          fields++;
          if (!reader.isBytes) continue;
          expect(reader.start).toBeLessThanOrEqual(reader.end);
          expect(reader.end).toBeLessThanOrEqual(message.length);
        }
        expect(fields).toBeLessThanOrEqual(message.length / 2);
      }),
      { numRuns: 2000 },
    );
  });

  test('a message cut anywhere is refused, or is one of fewer fields', () => {
    const whole = Buffer.concat([
      protobufBytes(1, 'abc'),
      protobufBool(2, true),
      protobufBytes(300, 'x'.repeat(200)),
    ]);
    const all = read(whole)!;
    for (let end = 0; end < whole.length; end++) {
      const part = read(whole.subarray(0, end));
      if (part !== null) expect(part).toEqual(all.slice(0, part.length));
    }
    expect(all).toHaveLength(3);
  });
});

test('default values are left out', () => {
  expect(protobufField(1, '')).toHaveLength(0);
  expect(protobufBool(1, false)).toHaveLength(0);
  expect([...protobufField(1, 'a')]).toEqual([0x0a, 1, 0x61]);
});
