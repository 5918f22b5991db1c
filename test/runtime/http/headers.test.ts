import { describe, expect, test } from 'vitest';
import { CONTENT_TYPE } from '../../../src/runtime/http/fields.ts';
import { HeaderBlock, MessageKind, Pseudo } from '../../../src/runtime/http/headers.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function trailers(...fields: [string, string][]): HeaderBlock {
  const block = new HeaderBlock(0);
  block.reset(MessageKind.Trailers);
  for (const [name, value] of fields) block.appendText(name, value);
  return block;
}

function set(block: HeaderBlock, name: string, value: string): void {
  block.replace(bytes(name), 0, name.length, bytes(value), 0, value.length);
}

describe('HeaderBlock', () => {
  test('starts with the pseudo-headers of its kind', () => {
    const block = new HeaderBlock();
    block.reset(MessageKind.Request);
    expect(block.entries()).toEqual([
      [':method', ''],
      [':path', ''],
      [':authority', ''],
      [':scheme', 'http'],
    ]);
    block.setScheme(true);
    expect(block.get(':scheme')).toBe('https');
    block.reset(MessageKind.Response);
    expect(block.entries()).toEqual([[':status', '']]);
    block.reset(MessageKind.Trailers);
    expect(block.entries()).toEqual([]);
  });

  test('finds names in any case, from a place on, and nothing that only looks alike', () => {
    const block = trailers(['A', '1'], ['Content-Type', 'x'], ['a', '2'], ['b^', '3']);
    expect(block.indexOf(CONTENT_TYPE)).toBe(1);
    expect(block.indexOf(bytes('A'))).toBe(0);
    expect(block.indexOf(bytes('a'), 1)).toBe(2);
    expect(block.indexOf(bytes('a'), 3)).toBe(-1);
    expect(block.find(bytes('xxCONTENT-TYPExx'), 2, 14)).toBe(1);
    expect(block.indexOf(bytes('b~'))).toBe(-1);
    expect(block.indexOf(bytes(''))).toBe(-1);
  });

  test('replaces the first field in its place and drops the others; appends where there is none', () => {
    const block = trailers(['a', '1'], ['b', '2'], ['A', '3'], ['a', '4']);
    set(block, 'a', 'new');
    expect(block.entries()).toEqual([
      ['a', 'new'],
      ['b', '2'],
    ]);
    set(block, 'c', '5');
    expect(block.entries()[2]).toEqual(['c', '5']);
  });

  test('removes all of a name and says how many went', () => {
    const block = trailers(['a', '1'], ['b', '2'], ['A', '3']);
    expect(block.removeAll(bytes('a'))).toBe(2);
    expect(block.removeAll(bytes('a'))).toBe(0);
    expect(block.entries()).toEqual([['b', '2']]);
  });

  test('never loses a pseudo-header', () => {
    const block = new HeaderBlock();
    block.reset(MessageKind.Request);
    block.removeAt(Pseudo.Path);
    expect(block.removeAll(bytes(':path'))).toBe(0);
    expect(block.count).toBe(4);
    set(block, ':path', '/x');
    expect(block.get(':path')).toBe('/x');
    expect(block.count).toBe(4);
  });

  test('compares values byte by byte', () => {
    const block = trailers(['a', 'Value']);
    expect(block.equalsValue(0, bytes('Value'))).toBe(true);
    expect(block.equalsValue(0, bytes('value'))).toBe(false);
    expect(block.equalsValue(0, bytes('Valu'))).toBe(false);
  });

  test('counts edits, so that what was worked out from the fields can be kept', () => {
    const block = trailers(['a', '1']);
    const edits: number[] = [block.edits];
    const edit = (change: () => void): void => {
      change();
      edits.push(block.edits);
    };
    edit(() => block.appendText('b', '2'));
    edit(() => block.setValueText(0, '3'));
    edit(() => block.removeAt(0));
    edit(() => set(block, 'c', '4'));
    edit(() => block.reset(MessageKind.Request));
    expect(edits).toEqual([...new Set(edits)].sort((a, b) => a - b));
    const before = block.edits;
    block.get('b');
    block.entries();
    expect(block.edits).toBe(before);
  });

  test('takes over another block and is independent of it from then on', () => {
    const block = new HeaderBlock(0);
    const other = trailers(['a', '1'], ['b', 'x'.repeat(5000)]);
    block.copyFrom(other);
    other.setValueText(0, '2');
    other.appendText('c', '3');
    expect(block.entries()).toEqual([
      ['a', '1'],
      ['b', 'x'.repeat(5000)],
    ]);
  });

  test('holds many fields', () => {
    const fields = Array.from({ length: 300 }, (_, i): [string, string] => [`name-${i}`, `value ${i}`]);
    expect(trailers(...fields).entries()).toEqual(fields);
  });

  test('does not grow for ever when a field is set again and again', () => {
    const block = trailers(['a', '1'], ['b', '2']);
    for (let i = 0; i < 100_000; i++) set(block, 'a', `value ${i}`);
    expect(block.entries()).toEqual([
      ['a', 'value 99999'],
      ['b', '2'],
    ]);
    expect(block.bytes.length).toBeLessThan(4096);
  });

  test('gives the memory of a large head back with the next message', () => {
    const block = trailers(['a', 'x'.repeat(100_000)]);
    block.reset(MessageKind.Request);
    expect(block.bytes.length).toBeLessThan(4096);
    block.setValueText(Pseudo.Path, '/x');
    expect(block.entries().slice(0, 2)).toEqual([
      [':method', ''],
      [':path', '/x'],
    ]);
  });

  test('appends lines that were made beforehand', () => {
    const block = trailers(['a', '1']);
    const lines = bytes('x-one: 1\r\nx-two: 22\r\n');
    const at = block.appendLines(lines, Int32Array.of(0, 5, 7, 8, 10, 15, 17, 19));
    expect(block.bytes.toString('latin1', at, at + lines.length)).toBe(lines.toString());
    expect(block.entries()).toEqual([
      ['a', '1'],
      ['x-one', '1'],
      ['x-two', '22'],
    ]);
  });

  test.each([
    ['x', 'a\r\nb: c', 'x', 'a  b: c'],
    ['x', 'a\0\x01\x7fb\t', 'x', 'a   b\t'],
    ['x\r\ny: z', 'a', 'x--y--z', 'a'],
    ['x y', 'a', 'x-y', 'a'],
    [':path', '/x', '-path', '/x'],
  ])('lets no byte in that would break a line apart: %j, %j', (name, value, keptName, keptValue) => {
    expect(trailers([name, value]).entries()).toEqual([[keptName, keptValue]]);
  });

  test('lets no byte into a pseudo-header that would break the first line apart', () => {
    const block = new HeaderBlock();
    block.reset(MessageKind.Request);
    block.setValueText(Pseudo.Path, '/a b\r\nX: y#z\x7f');
    expect(block.get(':path')).toBe('/a-b--X:-y-z-');
  });
});

describe('a checkpoint of a block', () => {
  test.each([
    ['append', (block: HeaderBlock) => block.appendText('d', '4')],
    ['set', (block: HeaderBlock) => block.setValueText(1, 'other')],
    ['remove', (block: HeaderBlock) => block.removeAt(0)],
    ['replace', (block: HeaderBlock) => set(block, 'a', 'x'.repeat(10_000))],
    ['copy', (block: HeaderBlock) => block.copyFrom(trailers(['z', 'other']))],
    ['many fields', (block: HeaderBlock) => Array.from({ length: 100 }, () => block.appendText('e', '5'))],
    [
      'remove, then append',
      (block: HeaderBlock) => (block.removeAll(bytes('a')), block.appendText('f', '6')),
    ],
    ['nothing', () => undefined],
  ])('brings back what was there before: %s', (_what, change) => {
    const block = trailers(['a', '1'], ['b', '2'], ['A', '3']);
    const before = block.entries();
    block.checkpoint();
    change(block);
    block.rollback();
    expect(block.entries()).toEqual(before);
    block.appendText('later', '7');
    expect(block.entries()).toEqual([...before, ['later', '7']]);
  });

  test('keeps what was committed, and a rollback after that does nothing', () => {
    const block = trailers(['a', '1']);
    block.checkpoint();
    block.setValueText(0, '2');
    block.commit();
    block.rollback();
    expect(block.entries()).toEqual([['a', '2']]);
    block.checkpoint();
    block.setValueText(0, '3');
    block.rollback();
    expect(block.entries()).toEqual([['a', '2']]);
  });

  test('counts a rollback as an edit', () => {
    const block = trailers(['a', '1']);
    block.checkpoint();
    block.setValueText(0, '2');
    const edits = block.edits;
    block.rollback();
    expect(block.edits).toBeGreaterThan(edits);
  });
});
