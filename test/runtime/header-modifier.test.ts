import { expect, test } from 'vitest';
import { CompiledHeaderModifier, compileHeaderModifier } from '../../src/runtime/header-modifier.ts';
import { requestBlock, responseBlock } from './blocks.ts';

const fieldsOf = (block: ReturnType<typeof requestBlock>): [string, string][] =>
  block.entries().slice(block.pseudo);

test.each([
  // HTTPRouteRequestHeaderModifier
  ['set adds a field that is not there', { set: [['X-Set', 'new']] }, [], [['x-set', 'new']]],
  ['set replaces one that is', { set: [['X-Set', 'new']] }, [['x-set', 'old']], [['x-set', 'new']]],
  [
    'set replaces all of them',
    { set: [['x', 'new']] },
    [
      ['x', '1'],
      ['y', '2'],
      ['X', '3'],
    ],
    [
      ['x', 'new'],
      ['y', '2'],
    ],
  ],
  [
    'add keeps what is there',
    { add: [['X-Add', 'b']] },
    [['x-add', 'a']],
    [
      ['x-add', 'a'],
      ['x-add', 'b'],
    ],
  ],
  [
    'remove has no case',
    { remove: ['X-Gone'] },
    [
      ['x-gone', '1'],
      ['X-GONE', '2'],
      ['x', '3'],
    ],
    [['x', '3']],
  ],
  [
    'the order is remove, set, add',
    { remove: ['a'], set: [['a', '1']], add: [['a', '2']] },
    [['a', '0']],
    [
      ['a', '1'],
      ['a', '2'],
    ],
  ],
  ['values are UTF-8', { set: [['a', 'é']] }, [], [['a', 'Ã©']]],
] as const)('%s', (_, spec, before, after) => {
  const block = requestBlock({}, before);
  new CompiledHeaderModifier({ remove: [], set: [], add: [], ...spec }).apply(block);
  expect(fieldsOf(block)).toEqual(after);
});

test('in a request host is the authority; in a response it is nothing', () => {
  const modifier = new CompiledHeaderModifier({ remove: [], set: [['Host', 'new.test']], add: [] });
  const request = requestBlock({ authority: 'old.test' });
  modifier.apply(request);
  expect(request.valueText(2)).toBe('new.test');
  expect(fieldsOf(request)).toEqual([]);
  const response = responseBlock(200, [['a', 'b']]);
  modifier.apply(response);
  expect(response.entries()).toEqual([
    [':status', '200'],
    ['a', 'b'],
  ]);
});

test('nothing to do compiles to null', () => {
  expect(compileHeaderModifier(null)).toBe(null);
  expect(compileHeaderModifier({ remove: [], set: [], add: [] })).toBe(null);
  expect(compileHeaderModifier({ remove: ['a'], set: [], add: [] })).not.toBe(null);
});
