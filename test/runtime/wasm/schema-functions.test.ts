import { expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { runScript, type Run } from '../../support/bare-run.ts';
import { callForeign } from '../../support/foreign.ts';

const CONFIGURATION = {
  rules: [{ schema: { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } } }],
  text: JSON.stringify({ $defs: { name: { type: 'string' } } }),
  wrong: { type: 'nothing' },
};

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

/** Opens a schema, then holds a document against token 0. */
async function run(place: string, document: string | Uint8Array, faults = 8): Promise<Run> {
  return runScript(
    (s) => {
      callForeign(s, 'weir.json_schema', place);
      callForeign(s, 'weir.validate_json', Buffer.concat([u32(0, faults), Buffer.from(document as string)]));
    },
    { spec: { configuration: JSON.stringify(CONFIGURATION) }, pages: 8 },
  );
}

test('weir.json_schema opens a schema of the configuration, and weir.validate_json holds documents against it', async () => {
  const right = await run('/rules/0/schema', '{"a":1}');
  expect(right.results(2)).toEqual([Status.Ok, Status.Ok]);
  expect(right.given()).toBe('');
  const wrong = await run('/rules/0/schema', '{"a":"x"}');
  expect(wrong.given()).toBe('[{"pointer":"/a","rule":"type"}]');
  const inText = await run('/text\0/$defs/name', '1');
  expect(inText.given()).toBe('[{"pointer":"","rule":"type"}]');
});

test.each(['', '{', '{"a":1}x', '\u00ff', Buffer.from([0x22, 0xff, 0x22])])(
  'what is no JSON in UTF-8 is SerializationFailure: %j',
  async (document) => {
    const bytes = document === '\u00ff' ? Buffer.from([0xff]) : document;
    expect((await run('/rules/0/schema', bytes)).results(2)).toEqual([
      Status.Ok,
      Status.SerializationFailure,
    ]);
  },
);

test.each(['/rules/1/schema', '/wrong', '', '/text\0/$defs/other'])(
  'the log says why %j is no schema',
  async (place) => {
    const done = await run(place, '{}');
    expect(done.results(2)).toEqual([Status.BadArgument, Status.NotFound]);
    expect(done.host.messages.join('\n')).toContain('weir.json_schema');
  },
);

test('a guest cannot bring a schema of its own, nor use a token that was not given', async () => {
  const done = await run('{"type":"string"}', '1');
  expect(done.results(2)).toEqual([Status.BadArgument, Status.NotFound]);
});
