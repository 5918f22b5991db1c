import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

const MAX = 0x7fff_ffff;

function withBody(text: string): BareStream {
  const stream = new BareStream();
  stream.request();
  stream.setBody(0, text);
  return stream;
}

describe('reading a buffer', () => {
  test.each([
    // start, max, expected
    [0, MAX, '0123456789'],
    [2, 3, '234'],
    [8, 100, '89'],
    [10, 5, ''],
    [99, 5, ''],
    [0, 0, ''],
  ])('from %i at most %i bytes: %j', async (start, max, expected) => {
    const run = await runScript((s) => s.call('proxy_get_buffer_bytes', 0, start, max, s.out(0), s.out(1)), {
      stream: withBody('0123456789'),
    });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.given()).toBe(expected);
  });

  test('a range that wraps and a type that does not exist are BadArgument, no body is NotFound', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_buffer_bytes', 0, 2, 0xffff_ffff, s.out(0), s.out(1))
          .call('proxy_get_buffer_bytes', 9, 0, 1, s.out(0), s.out(1))
          .call('proxy_get_buffer_bytes', 1, 0, 1, s.out(0), s.out(1))
          .call('proxy_get_buffer_bytes', 4, 0, 1, s.out(0), s.out(1)),
      { stream: withBody('x') },
    );
    expect(run.results(4)).toEqual([2, 2, 1, 1]);
  });

  test('its status is its size', async () => {
    const run = await runScript((s) => s.call('proxy_get_buffer_status', 0, s.out(0), s.out(1)), {
      stream: withBody('12345'),
    });
    expect([run.word(0), run.word(1)]).toEqual([5, 0]);
  });

  test('the configurations of VM and plugin', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_buffer_bytes', 6, 0, MAX, s.out(0), s.out(1))
          .call('proxy_get_buffer_bytes', 7, 0, MAX, s.out(2), s.out(3)),
      { spec: { vmConfiguration: 'for the VM', configuration: '{"ü":1}' } },
    );
    expect(run.given(0)).toBe('for the VM');
    expect(Buffer.from(run.given(2), 'latin1').toString()).toBe('{"ü":1}');
  });

  test('0.1.0 asks for the configuration of the callback that runs', async () => {
    const run = await runScript((s) => s.call('proxy_get_configuration', s.out(4), s.out(5)), {
      abi: '0.1.0',
      spec: { vmConfiguration: 'vm', configuration: 'plugin' },
      scripts: {
        proxy_on_vm_start: (s) => s.call('proxy_get_configuration', s.out(0), s.out(1)).return(1),
        proxy_on_configure: (s) => s.call('proxy_get_configuration', s.out(2), s.out(3)).return(1),
      },
    });
    expect([run.given(0), run.given(2), run.given(4)]).toEqual(['vm', 'plugin', 'plugin']);
  });
});

describe('changing a body is a splice', () => {
  test.each([
    // start, size, data, expected
    [0, 0, '<', '<0123456789'],
    [MAX, 0, '>', '0123456789>'],
    [10, 0, '>', '0123456789>'],
    [0, MAX, 'all', 'all'],
    [0, 12, 'all', 'all'],
    [3, 4, 'abc', '012abc789'],
    [3, 4, '', '012789'],
    [8, 100, '!', '01234567!'],
  ])('from %i in place of %i: %j gives %j', async (start, size, data, expected) => {
    const stream = withBody('0123456789');
    const run = await runScript((s) => s.call('proxy_set_buffer_bytes', 0, start, size, s.text(data)), {
      stream,
    });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(stream.bodyText(0)).toBe(expected);
  });

  test('only bodies that are there can be changed', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_set_buffer_bytes', 1, 0, 0, s.text('x'))
          .call('proxy_set_buffer_bytes', 7, 0, 0, s.text('x')),
      { stream: withBody('') },
    );
    expect(run.results(2)).toEqual([Status.NotFound, Status.BadArgument]);
  });
});
