import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import type { AttributeValue } from '../../../src/runtime/wasm/stream-host.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

const hex = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('hex');

function withAttribute(path: string, value: AttributeValue): BareStream {
  const stream = new BareStream();
  stream.attributes.set(path, value);
  return stream;
}

describe('values are encoded as Envoy does', () => {
  test.each<[AttributeValue, string]>([
    [{ type: 'string', value: 'GET ü' }, '47455420c3bc'],
    [{ type: 'bytes', value: Uint8Array.of(0, 255) }, '00ff'],
    [{ type: 'int', value: -2n }, 'feffffffffffffff'],
    [{ type: 'uint', value: 2n ** 64n - 1n }, 'ffffffffffffffff'],
    [{ type: 'time', value: 1_700_000_000_000_000_000n }, '00002a36fe9c9717'],
    [{ type: 'duration', value: 5_000_000n }, '404b4c0000000000'],
    [{ type: 'double', value: 1.5 }, '000000000000f83f'],
    [{ type: 'bool', value: true }, '01'],
    [{ type: 'bool', value: false }, '00'],
    [
      {
        type: 'map',
        value: [
          ['a', { type: 'string', value: Buffer.from('1') }],
          ['b', { type: 'string', value: '22' }],
        ],
      },
      '02000000' + '0100000001000000' + '0100000002000000' + '61003100' + '6200323200',
    ],
    [
      {
        type: 'list',
        value: [
          { type: 'string', value: 'x' },
          { type: 'bool', value: true },
        ],
      },
      '02000000' + '0100000000000000' + '0100000000000000' + '780000' + '010000',
    ],
    [
      { type: 'map', value: [['n', { type: 'int', value: 3n }]] },
      '01000000' + '0100000008000000' + '6e00' + '0300000000000000' + '00',
    ],
    [{ type: 'address', host: '192.0.2.1', port: 80 }, Buffer.from('192.0.2.1:80').toString('hex')],
    [{ type: 'address', host: '2001:db8::1', port: 80 }, Buffer.from('[2001:db8::1]:80').toString('hex')],
    [{ type: 'message', value: [], encode: () => Uint8Array.of(8, 1) }, '0801'],
  ])('%o', async (value, expected) => {
    const run = await runScript((s) => s.call('proxy_get_property', s.text('a\0b'), s.out(0), s.out(1)), {
      stream: withAttribute('a\0b', value),
    });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(hex(run.given())).toBe(expected);
  });

  test('text that is longer than the scratch is whole', async () => {
    const run = await runScript((s) => s.call('proxy_get_property', s.text('a'), s.out(0), s.out(1)), {
      stream: withAttribute('a', { type: 'string', value: 'x'.repeat(60_000) }),
    });
    expect(run.given()).toHaveLength(60_000);
  });
});

describe('values are text for filters that ask for it', () => {
  test.each<[AttributeValue, string]>([
    [{ type: 'string', value: 'GET ü' }, 'GET ü'],
    [{ type: 'bytes', value: Uint8Array.of(0, 255) }, '\x00\xff'],
    [{ type: 'int', value: -2n }, '-2'],
    [{ type: 'uint', value: 2n ** 64n - 1n }, '18446744073709551615'],
    [{ type: 'time', value: 1_700_000_000_042_999_999n }, '1700000000.042'],
    [{ type: 'duration', value: 5_000_000n }, '0.005'],
    [{ type: 'double', value: 1.5 }, '1.5'],
    [{ type: 'bool', value: true }, 'true'],
    [{ type: 'bool', value: false }, 'false'],
    [{ type: 'address', host: '2001:db8::1', port: 80 }, '2001:db8::1'],
    [{ type: 'map', value: [['n', { type: 'int', value: 3n }]] }, '\x01\0\0\0\x01\0\0\0\x01\0\0\0n\x003\0'],
  ])('%o', async (value, expected) => {
    const run = await runScript((s) => s.call('proxy_get_property', s.text('a\0b'), s.out(0), s.out(1)), {
      stream: withAttribute('a\0b', value),
      spec: { properties: 'text' },
    });
    const bytes = value.type === 'bytes' ? expected : Buffer.from(expected).toString('latin1');
    expect(run.given()).toBe(bytes);
  });
});

describe('the host answers for plugin and node', () => {
  test.each([
    ['plugin_name', 'test/chain#filter'],
    ['plugin_root_id', 'root'],
    ['plugin_vm_id', 'vm'],
    ['node\0id', 'node-1'],
    ['node\0cluster', 'edge'],
    ['xds\0node\0id', 'node-1'],
    ['node\0user_agent_name', 'weir'],
    ['node\0metadata', '\0\0\0\0'],
    ['node\0locality', ''],
    ['node\0locality\0zone', ''],
    ['node', '\x0a\x06node-1\x12\x04edge\x32\x04weir'],
    ['xds\0node', '\x0a\x06node-1\x12\x04edge\x32\x04weir'],
  ])('%j is %j, in a root context too', async (path, expected) => {
    const run = await runScript(() => {}, {
      scripts: {
        proxy_on_context_create: (s) => s.call('proxy_get_property', s.text(path), s.out(0), s.out(1)),
      },
    });
    expect(run.results(1)).toEqual([Status.Ok]);
    expect(run.given()).toBe(expected);
  });
});

describe('paths', () => {
  test.each(['a\0b', 'a\0b\0', 'a.b'])('%j finds a/b', async (path) => {
    const run = await runScript((s) => s.call('proxy_get_property', s.text(path), s.out(0), s.out(1)), {
      stream: withAttribute('a\0b', { type: 'string', value: 'found' }),
    });
    expect(run.given()).toBe('found');
    expect(run.host.messages.length).toBe(path === 'a.b' ? 1 : 0);
  });

  test.each([
    '',
    '\0',
    'nothing',
    'no.thing',
    'plugin_nothing',
    'node\0nothing',
    'node\0metadata\0x',
    'node\0id\0x',
    'filter_state\0wasm.a',
  ])('%j is NotFound', async (path) => {
    const run = await runScript((s) => s.call('proxy_get_property', s.text(path), s.out(0), s.out(1)));
    expect(run.results(1)).toEqual([Status.NotFound]);
  });
});

describe('setting', () => {
  test('can be read back at once, and reaches the stream when the callback returned', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_set_property', s.text('my\0key'), s.text('one'))
        .call('proxy_set_property', s.text('my\0key'), s.text('two'))
        .call('proxy_get_property', s.text('my\0key'), s.out(0), s.out(1)),
    );
    expect(run.results(3)).toEqual([0, 0, 0]);
    expect(run.given()).toBe('two');
    expect(run.stream.state('wasm.my\0key')).toEqual({
      bytes: Uint8Array.from(Buffer.from('two')),
      type: 'bytes',
      readOnly: false,
      ofConnection: false,
    });
  });

  test('is read by other filters as property and as filter state', async () => {
    const first = await runScript((s) => s.call('proxy_set_property', s.text('mine'), s.text('one')));
    const { stream } = first;
    for (const path of ['mine', 'filter_state\0wasm.mine']) {
      const next = await runScript((s) => s.call('proxy_get_property', s.text(path), s.out(0), s.out(1)), {
        stream,
      });
      expect(next.results(1)).toEqual([Status.Ok]);
      expect(next.given()).toBe('one');
    }
  });

  test('keeps no more than 256 of a stream', async () => {
    const { stream } = await runScript((s) => {
      for (let i = 0; i < 257; i++) s.call('proxy_set_property', s.text(`p${i}`), s.text('x'));
    });
    expect([stream.state('wasm.p255'), stream.state('wasm.p256')]).toEqual([expect.anything(), undefined]);
  });

  test('does not cover what is built in', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_set_property', s.text('a'), s.text('mine'))
          .call('proxy_get_property', s.text('a'), s.out(0), s.out(1)),
      { stream: withAttribute('a', { type: 'string', value: 'built in' }) },
    );
    expect(run.given()).toBe('built in');
  });

  test('is NotFound without a stream and BadArgument without a path', async () => {
    const run = await runScript((s) => s.call('proxy_set_property', s.text('\0'), s.text('x')), {
      scripts: {
        proxy_on_configure: (s) => s.call('proxy_set_property', s.text('a'), s.text('x')).return(1),
      },
    });
    expect(run.results(2)).toEqual([Status.BadArgument, Status.NotFound]);
  });
});
