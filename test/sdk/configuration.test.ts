import { mkdtempSync, symlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Parser } from 'assemblyscript';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';
import Configuration from '../../filters-sdk/cli/configuration.mjs';
import { readSections } from '../../filters-sdk/cli/sections.mjs';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import { addKeywords } from '../../src/control/schema-keywords.ts';
import { FilterSchema } from '../../src/control/filter-schema.ts';
import { pluginBytes } from '../support/plugin.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let module: Buffer;
let schema: Record<string, unknown>;
let byAjv: ValidateFunction;
let byWeir: FilterSchema;

beforeAll(() => {
  module = pluginBytes('configuration-kit');
  const [section] = readSections(module, 'weir.schema');
  schema = JSON.parse(Buffer.from(section!).toString()) as Record<string, unknown>;
  const ajv = new Ajv2020({ strict: false });
  addKeywords(ajv, () => undefined);
  byAjv = ajv.compile(schema);
  byWeir = FilterSchema.untrusted(schema);
});

/** What the filter logs: the values that it read, or every fault. */
async function read(config: unknown): Promise<{ accepted: boolean; logs: string[] }> {
  const told = await openFilter(module, { config }).then(
    ({ logs }) => ({ accepted: true, logs: logs.map(({ message }) => message) }),
    ({ message }: Error) => ({
      accepted: false,
      logs: [...message.matchAll(/^ {2}error: (.*)$/gm)].map(([, line]) => line!),
    }),
  );
  return { ...told, logs: told.logs.map((line) => line.replace(/^configuration /, '')) };
}

const LEAST = { upstream: 'a', places: [{ header: 'x' }] };
const refusal = async (change: object): Promise<string[]> => {
  const { accepted, logs } = await read({ ...LEAST, ...change });
  expect(accepted).toBe(false);
  return logs.map((line) => line.replace(/^\d+:\d+: /, ''));
};

describe('the decoder', () => {
  test('gives what is left out its default', async () => {
    const { logs } = await read(LEAST);
    expect(logs).toEqual(['a hello raw true 3 0 0.5 10000 65536 1 0 204 a - 1 - 1.5 -1 2 - - 7 level 31']);
  });

  test('reads every kind', async () => {
    const { logs } = await read({
      upstream: 'up-1',
      greeting: 'é€😀',
      bytes: 'ü',
      on: false,
      level: -5,
      big: 9007199254740991,
      ratio: 2.25,
      after: '1h30m',
      room: '2Mi',
      mode: 'soft',
      spelled: 'Hard',
      status: 200,
      letter: 'b',
      key: 'k',
      places: [{ query: 'q' }, { header: 'h', scheme: 's' }],
      limits: { most: 0, tiny: -128 },
      numbers: [9],
      labels: { a: 'xyz' },
      nested: { x: [{}, { most: 1 }] },
      'max-age': 255,
    });
    expect(logs).toEqual([
      'up-1 é€😀 ü false -5 9007199254740991 2.25 5400000 2097152 0 1 200 b k 2 q 0.0 -128 1 xyz 2 255 level -51',
    ]);
  });

  test.each<[string, object, string[]]>([
    ['required', { upstream: undefined }, ['"upstream" is required']],
    ['pattern', { upstream: 'a-' }, ['upstream: must match [a-z]([a-z0-9-]*[a-z0-9])?']],
    ['type of a text', { greeting: 1 }, ['greeting: expected a string']],
    ['null', { key: null }, ['key: expected a string']],
    ['empty', { greeting: '' }, ['greeting: must not be empty']],
    ['too long', { greeting: 'é'.repeat(9) }, ['greeting: expected at most 8 characters']],
    ['boolean', { on: 1 }, ['on: expected true or false']],
    ['whole number', { level: 1.5 }, ['level: expected a whole number from -5 to 5']],
    ['range', { level: 6 }, ['level: expected a whole number from -5 to 5']],
    ['range of the type', { 'max-age': 256 }, ['max-age: expected a whole number from 0 to 255']],
    ['not exact', { big: 2 ** 53 }, ['big: expected a whole number from 0 to 9007199254740991']],
    ['number', { limits: { most: 101 } }, ['limits.most: expected a number from 0 to 100']],
    ['duration', { after: '10' }, ['after: expected a duration such as "500ms", "10s" or "1h30m"']],
    ['duration out of range', { after: '2d' }, ['after: expected from 1 to 86400000 ms']],
    ['size', { room: '1Zi' }, ['room: expected a size such as 4096, "64Ki" or "1Mi"']],
    ['size out of range', { room: 1 }, ['room: expected from 1024 to 8388608 bytes']],
    ['choice', { mode: 'Soft' }, ['mode: expected one of: soft, hard']],
    ['listed', { status: 201 }, ['status: expected one of: 204, 200']],
    ['exactly one', { places: [{}] }, ['places[0]: expected exactly one of: header, query']],
    ['needs', { places: [{ query: 'a', scheme: 'b' }] }, ['places[0].scheme: needs "header" beside it']],
    ['no items', { places: [] }, ['places: must not be empty']],
    ['too many items', { numbers: [1, 2, 3] }, ['numbers: expected at most 2 of them']],
    ['an item', { numbers: [1, 0] }, ['numbers[1]: expected a whole number from 1 to 9']],
    ['names in a map', { labels: { 'a-b': '' } }, ['labels.a-b: the name must match [^-]+']],
    ['values in a map', { labels: { a: 'long' } }, ['labels.a: expected at most 3 characters']],
    [
      'inside',
      { nested: { x: [{ tiny: 128 }] } },
      ['nested.x[0].tiny: expected a whole number from -128 to 127'],
    ],
    ['unknown', { leve: 1, limits: { mos: 1 } }, ['leve: unknown field', 'limits.mos: unknown field']],
    [
      'hidden and derived fields',
      { hidden: 1, summary: '' },
      ['hidden: unknown field', 'summary: unknown field'],
    ],
    ['what the class reads itself', { either: [1, 'a', 1] }, ['either: expected at most 2 of them']],
    [
      'what the class reads itself, by its check',
      { either: [1, true] },
      ['either[1]: expected a text or a number'],
    ],
    ['what the class checks itself', { level: 4 }, ['level: four is not a level']],
  ])('refuses: %s', async (_name, change, faults) => {
    expect(await refusal(change)).toEqual(faults);
  });

  test('tells all faults at once, with line and column', async () => {
    const { logs } = await read('{\n "upstream": "A",\n "places": [{"header": 1}],\n "level": "x"\n}');
    expect(logs).toEqual([
      '2:14: upstream: must match [a-z]([a-z0-9-]*[a-z0-9])?',
      '4:11: level: expected a number',
      '3:24: places[0].header: expected a string',
    ]);
  });

  test('runs its own check only on values that are right so far', async () => {
    expect(await refusal({ level: 4, on: 1 })).toEqual(['on: expected true or false']);
  });
});

describe('the schema', () => {
  test('has what the class says', () => {
    expect(schema).toMatchObject({
      title: 'kit',
      description: 'Everything that there is.\n\nIn two paragraphs.',
      'x-weir-phase': 'transform',
      'x-weir-capabilities': ['headers', 'reply'],
      additionalProperties: false,
      required: ['upstream', 'places'],
    });
    const properties = schema['properties'] as Record<string, object>;
    expect(Object.keys(properties)).not.toContain('hidden');
    expect(properties['greeting']).toEqual({
      description: 'What to say.',
      type: 'string',
      minLength: 1,
      maxLength: 8,
      default: 'hello',
      examples: ['hi'],
      'x-weir-source': 'test/plugins/configuration-kit.ts:59',
    });
    expect(properties).toMatchObject({
      upstream: { pattern: '^(?:[a-z]([a-z0-9-]*[a-z0-9])?)$' },
      bytes: { type: 'string', default: 'raw' },
      level: { type: 'integer', minimum: -5, maximum: 5, default: 3 },
      after: { 'x-weir-duration': [1, 86_400_000], default: '10s' },
      room: { 'x-weir-size': [1024, 8_388_608], default: '64Ki' },
      mode: { enum: ['soft', 'hard'], default: 'hard' },
      spelled: { enum: ['Soft', 'Hard'] },
      status: { enum: [204, 200] },
      key: { writeOnly: true },
      numbers: { maxItems: 2, items: { minimum: 1, maximum: 9 }, default: [1, 2] },
      labels: { propertyNames: { pattern: '^(?:[^-]+)$' }, additionalProperties: { maxLength: 3 } },
      'max-age': { type: 'integer', maximum: 255, default: 7 },
      either: { maxItems: 2, items: { anyOf: [{ type: 'string' }, { type: 'number' }] }, default: [] },
    });
  });

  test('is weir’s own: secrets are known, no pattern is left out', () => {
    expect(byWeir.secretNames).toEqual(['key']);
    expect(byWeir.skipped).toEqual([]);
  });

  test.each<[string, object]>([
    ['a number as a size', { room: 4096 }],
    ['a negative number as a size', { room: -129 }],
    ['a number as a size, larger than any text may say', { room: 1e20 }],
    ['a number as a duration', { after: 1000 }],
  ])('is of one mind with the decoder: %s', async (_what, change) => {
    const value = { ...LEAST, ...change };
    const { accepted } = await read(value);
    expect([byAjv(value), byWeir.check(value).length === 0]).toEqual([accepted, accepted]);
  });

  test('accepts and refuses exactly what the decoder does', { timeout: 120_000 }, async () => {
    const text = fc.oneof(
      fc.constantFrom(
        '',
        'a',
        'soft',
        'Hard',
        'a-',
        'a-1',
        '10s',
        '1h30m',
        '1m1h',
        '2d',
        '64Ki',
        '16Mi',
        '5',
        'é€',
      ),
      fc.string({ unit: 'grapheme', maxLength: 10 }),
    );
    const scalar = fc.oneof(
      text,
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom(
        -129,
        -128,
        -5,
        -1,
        0,
        1,
        3,
        5,
        6,
        100,
        200,
        204,
        255,
        256,
        1024,
        65_536,
        0.5,
        1e20,
        2 ** 53,
      ),
      fc.integer({ min: -1e6, max: 1e6 }).map((n) => n / 1000),
    );
    const limits = fc.record(
      { most: fc.constantFrom(0, 1.5, 100), tiny: fc.constantFrom(0, -128) },
      { requiredKeys: [] },
    );
    const right: Record<string, fc.Arbitrary<unknown>> = {
      upstream: fc.constantFrom('a', 'b-1'),
      greeting: fc.constantFrom('a', 'é€😀'),
      bytes: text,
      on: fc.boolean(),
      level: fc.constantFrom(-5, 0, 3),
      big: fc.constantFrom(0, 9_007_199_254_740_991),
      ratio: fc.constantFrom(0, -1.5),
      after: fc.constantFrom('1ms', '1d'),
      room: fc.constantFrom('1Ki', 4096),
      mode: fc.constantFrom('soft', 'hard'),
      spelled: fc.constantFrom('Soft', 'Hard'),
      status: fc.constantFrom(200, 204),
      letter: fc.constantFrom('a', 'b'),
      key: text,
      places: fc.array(fc.constantFrom({ header: 'a' }, { query: 'b' }, { header: '', scheme: '' }), {
        minLength: 1,
        maxLength: 3,
      }),
      limits,
      numbers: fc.array(fc.constantFrom(1, 9), { maxLength: 2 }),
      labels: fc.dictionary(fc.constantFrom('a', 'é'), fc.constantFrom('', 'é€😀'), { maxKeys: 2 }),
      nested: fc.dictionary(fc.constantFrom('a', ''), fc.array(limits, { maxLength: 2 }), { maxKeys: 2 }),
      'max-age': fc.constantFrom(0, 255),
      either: fc.array(fc.oneof(fc.constantFrom(1, 'a'), text), { maxLength: 2 }),
    };
    // Each of these is wrong at most places, and right at some.
    const other = fc.oneof(
      scalar,
      fc.array(scalar, { maxLength: 4 }),
      fc.record({ most: scalar, tiny: scalar }, { requiredKeys: [] }),
      fc.dictionary(
        fc.constantFrom('a', 'a-b', '', 'most'),
        fc.oneof(scalar, fc.array(limits, { maxLength: 2 })),
        {
          maxKeys: 2,
        },
      ),
      fc.array(fc.record({ header: text, scheme: text, query: text }, { requiredKeys: [] }), {
        maxLength: 4,
      }),
    );
    const config = fc
      .tuple(
        fc.record(right, { requiredKeys: ['upstream', 'places'] }),
        fc.array(fc.tuple(fc.constantFrom(...Object.keys(right), 'unknown'), other), { maxLength: 1 }),
        fc.integer({ min: 0, max: 19 }),
      )
      .map(([base, changes, left]) => {
        const value: Record<string, unknown> = { ...base, ...Object.fromEntries(changes) };
        if (left === 0) delete value['upstream'];
        return value;
      })
      // What the class checks itself is not in the schema.
      .filter(({ level }) => level !== 4);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(config, async (value) => {
        const json: unknown = JSON.parse(JSON.stringify(value));
        const expected = byAjv(json);
        if (expected) accepted++;
        expect(byWeir.check(json).length === 0).toBe(expected);
        const own = await read(json);
        expect(own.accepted, own.logs.join('\n')).toBe(expected);
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(150);
  });
});

describe('the compiler', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-configuration-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const HEAD = `export * from '@weir/filters-sdk/assembly/exports';
import { RootContext, StreamContext, registerRoot } from '@weir/filters-sdk/assembly';
import { configuration, duration, exactlyOneOf, items, length, oneOf, part, pattern, range, readConfiguration, size } from '@weir/filters-sdk/assembly/configuration';
class Root extends RootContext {
  onConfigure(text: ArrayBuffer): bool { return readConfiguration<Settings>(text) !== null; }
  createStream(): StreamContext { return new Stream(); }
}
class Stream extends StreamContext {}
registerRoot(new Root());
`;
  const compile = (source: string, debug = true) => {
    writeFileSync(join(folder, 'index.ts'), HEAD + source);
    return compileFilter({ entry: 'index.ts', baseDir: folder, debug });
  };

  test.each<[string, string, string]>([
    ['@configuration({}) class Settings { @range(1, 5) level: i32 = 9; }', '9', 'the default is not one of'],
    ["@configuration({}) class Settings { @pattern('a(') x: string; }", "@pattern('a(')", '")" is missing'],
    ["@configuration({}) class Settings { @pattern('^a') x: string; }", "@pattern('^a')", 'leave out "^"'],
    ['@configuration({}) class Settings { x: Date; }', 'Date', 'is not a type of configurations'],
    ['class A {} @configuration({}) class Settings { x: A; }', 'A', 'put @part before it'],
    [
      '@part class A { x: i32; } @configuration({}) class Settings { a: A = new A(); }',
      'a',
      '"x" of A must be there',
    ],
    [
      '@part class A { a: A | null = null; } @configuration({}) class Settings { a: A; }',
      'A | null',
      'contains itself',
    ],
    ['@configuration({}) class Settings { x: i32 | null = null; }', 'i32 | null', 'cannot be null'],
    ['@configuration({}) class Settings { x: string | null; }', 'x', 'write "= null"'],
    [
      '@configuration({}) class Settings { @length(1, 2) x: i32 = 1; }',
      '@length(1, 2)',
      'does not go with i32',
    ],
    ['@configuration({}) class Settings { @rnage(1, 2) x: i32 = 1; }', '@rnage(1, 2)', '@rnage is not known'],
    [
      '@configuration({}) class Settings { @range(5, 1) x: i32 = 1; }',
      '@range(5, 1)',
      'from smaller to larger',
    ],
    [
      "@configuration({}) class Settings { @duration('1x', '2s') x: i32 = 1; }",
      "@duration('1x', '2s')",
      'not bounds',
    ],
    [
      "@configuration({}) class Settings { @oneOf('a', 'a') x: string; }",
      "@oneOf('a', 'a')",
      'different texts',
    ],
    ['enum E { A = 3 } @configuration({}) class Settings { x: E; }', 'A = 3', 'counts 0, 1, 2'],
    [
      '@configuration({}) class Settings {} @configuration({}) class B {}',
      'B',
      'one class that is its @configuration',
    ],
    ["@configuration({ titel: 'a' }) class Settings {}", "@configuration({ titel: 'a' })", 'not "titel"'],
    ['@configuration({}) class Settings { x: JsonValue; }', 'JsonValue', 'needs a @schema'],
    [
      '@configuration({}) class Settings { @schema(1) x: JsonValue; }',
      '@schema(1)',
      'expected a JSON Schema',
    ],
    ['@configuration({}) class Settings { constructor(x: i32) {} }', 'Settings', 'has no constructor'],
  ])('refuses at its place: %s', (source, marked, message) => {
    const parser = new Parser();
    parser.parseFile(source, 'index.ts', true);
    const faults: [string, string][] = [];
    const error = (_code: number, { start, end }: { start: number; end: number }, text: string): void =>
      void faults.push([source.slice(start, end), text]);
    const step = new Configuration();
    step.program = { error };
    step.afterParse(parser);
    expect(faults).toEqual([[marked, expect.stringContaining(message)]]);
  });

  test('shows a fault like one of its own', async () => {
    const { ok, problems } = await compile(
      '@configuration({}) class Settings { @range(1, 5) level: i32 = 9; }',
    );
    expect(ok).toBe(false);
    const { place, message } = problems[0]!;
    expect(message).toContain('the default is not one of the values');
    expect([place!.file, place!.line, place!.column]).toEqual(['index.ts', 10, 63]);
  });

  test('a class without @configuration cannot be read, and the hint says what is missing', async () => {
    const { ok, problems } = await compile('class Settings { x: i32 = 1; }');
    expect(ok).toBe(false);
    expect(problems[0]!.hint).toContain('@configuration');
  });

  test('a filter without configuration class carries no schema and not a byte more', async () => {
    const bytes = pluginBytes('config-kit');
    expect(readSections(bytes, 'weir.schema')).toEqual([]);
    expect(Buffer.from(bytes).includes('the name must match')).toBe(false);
  });

  test('debug and release builds carry the same schema', async () => {
    const sections: string[][] = [];
    for (const debug of [true, false]) {
      const { binary } = await compile(
        '@configuration({}) class Settings { @range(1, 5) x: i32 = 1; }',
        debug,
      );
      sections.push(readSections(binary!, 'weir.schema').map((section) => Buffer.from(section).toString()));
    }
    expect(sections[0]).toHaveLength(1);
    expect(sections[0]).toEqual(sections[1]);
  });
});
