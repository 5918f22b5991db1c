import { describe, expect, test } from 'vitest';
import { LogFields } from '../../src/runtime/log-fields.ts';
import type { StateValue } from '../../src/runtime/wasm/stream-host.ts';
import { BareStream } from '../support/bare-stream.ts';

const kept = (value: string, type: StateValue['type'] = 'bytes'): StateValue => ({
  bytes: Buffer.from(value),
  type,
  readOnly: false,
  ofConnection: false,
});

function stream(): BareStream {
  const made = new BareStream();
  made.attributes.set('request', { type: 'group' });
  made.attributes.set('request\0path', { type: 'string', value: '/cart"' });
  made.attributes.set('request\0size', { type: 'int', value: 12n });
  made.setState('wasm.tier', kept('gold'));
  made.setState('wasm.consumer\0name', kept('acme', 'string'));
  made.setState('metadata\0auth\0user', kept('anna', 'string'));
  return made;
}

/** The value of one field in the line. */
function valueOf(expression: string): unknown {
  const end = new LogFields([['x', expression]]).json(stream()).toString();
  const { fields } = JSON.parse(`{"first":1${end}}`) as { fields: { x: unknown } };
  return fields.x;
}

describe('the value of an expression stands in the line', () => {
  test.each<[string, unknown]>([
    ['request.path', '/cart"'],
    ['request.size + 1', 13],
    ['request.size > 10', true],
    ['1.5', 1.5],
    ['tier', 'gold'],
    ['consumer.name', 'acme'],
    ['filter_state["wasm.tier"]', 'gold'],
    ['metadata.filter_metadata.auth.user', 'anna'],
    ['[1, 2]', [1, 2]],
    ['{"a": "b"}', { a: 'b' }],
    ['duration("1.5s")', '1.500'],
    ['request.nothing', null],
    ['nothing', null],
    ['request', null],
    ['1 / 0', null],
  ])('%s', (expression, expected) => {
    expect(valueOf(expression)).toEqual(expected);
  });

  test('cut, where it is long', () => {
    const made = stream();
    made.setState('wasm.long', kept('x'.repeat(5000)));
    const end = new LogFields([['x', 'long']]).json(made);
    expect(end.length).toBeLessThan(1100);
  });
});

test('without fields there is nothing', () => {
  expect(new LogFields([]).json(stream())).toHaveLength(0);
});
