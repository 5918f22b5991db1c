import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBool, protobufField } from '../../../src/runtime/wasm/protobuf.ts';
import { callForeign } from '../../support/foreign.ts';
import type { Script } from '../../support/wasm-guest.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

interface Declaration {
  name: string;
  readOnly?: boolean;
  type?: number;
  span?: number;
}

const varint = (field: number, value: number): Buffer =>
  value === 0 ? Buffer.alloc(0) : Buffer.from([field << 3, value]);

function declaration({ name, readOnly = false, type = 0, span = 0 }: Declaration): Buffer {
  return Buffer.concat([protobufField(1, name), protobufBool(2, readOnly), varint(3, type), varint(5, span)]);
}

const state = (path: string, value: string, span = 0): Buffer =>
  Buffer.concat([protobufField(1, path), protobufField(2, value), varint(3, span)]);

const set = (s: Script, path: string, value: string): Script =>
  s.call('proxy_set_property', s.text(path), s.text(value));
const get = (s: Script, path: string): Script =>
  s.call('proxy_get_property', s.text(path), s.out(0), s.out(1));

describe('declare_property', () => {
  test('read-only: set once, whoever tries again', async () => {
    const run = await runScript((s) => {
      callForeign(s, 'declare_property', declaration({ name: 'once', readOnly: true }));
      set(s, 'once', 'first');
      set(s, 'once', 'second');
      get(s, 'once');
    });
    expect(run.results(4)).toEqual([Status.Ok, Status.Ok, Status.BadArgument, Status.Ok]);
    expect(run.given()).toBe('first');
    const other = await runScript((s) => set(s, 'once', 'third'), { stream: run.stream });
    expect(other.results(1)).toEqual([Status.BadArgument]);
  });

  test.each([
    [0, 'bytes'],
    [1, 'string'],
    [2, 'flatbuffers'],
    [3, 'protobuf'],
    [7, 'bytes'],
  ])('type %i is %s', async (type, expected) => {
    const run = await runScript((s) => {
      callForeign(s, 'declare_property', declaration({ name: 'typed', type }));
      set(s, 'typed', 'x');
    });
    expect(run.stream.state('wasm.typed')!.type).toBe(expected);
  });

  test.each([
    [0, false],
    [1, false],
    [2, true],
  ])('span %i: kept for the connection: %s', async (span, ofConnection) => {
    const run = await runScript((s) => {
      callForeign(s, 'declare_property', declaration({ name: 'kept', span }));
      set(s, 'kept', 'x');
    });
    expect(run.stream.state('wasm.kept')!.ofConnection).toBe(ofConnection);
  });

  test('once for each name; the root context may do it', async () => {
    const run = await runScript(
      (s) => {
        callForeign(s, 'declare_property', declaration({ name: 'a' }));
        set(s, 'a', 'x');
        set(s, 'a', 'y');
      },
      {
        scripts: {
          proxy_on_vm_start: (s) =>
            callForeign(s, 'declare_property', declaration({ name: 'a', readOnly: true })).return(1),
        },
      },
    );
    expect(run.results(4)).toEqual([Status.BadArgument, Status.Ok, Status.BadArgument, Status.Ok]);
  });

  test('bytes that are no message are BadArgument, and so is one declaration too many', async () => {
    const run = await runScript((s) => {
      callForeign(s, 'declare_property', Uint8Array.of(0x0a, 9));
      for (let i = 0; i < 257; i++) callForeign(s, 'declare_property', declaration({ name: `p${i}` }));
    });
    const results = run.results(258);
    expect([results[0], results[256], results[257]]).toEqual([
      Status.BadArgument,
      Status.Ok,
      Status.BadArgument,
    ]);
  });
});

describe('set_envoy_filter_state', () => {
  test.each(['envoy.tcp_proxy.cluster', 'envoy.string', 'envoy.hashable_string'])(
    '%s is read as filter state, at once and by others',
    async (key) => {
      const run = await runScript((s) => {
        callForeign(s, 'set_envoy_filter_state', state(key, 'value'));
        get(s, `filter_state\0${key}`);
      });
      expect(run.results(2)).toEqual([Status.Ok, Status.Ok]);
      expect(run.given()).toBe('value');
      const other = await runScript((s) => get(s, `filter_state\0${key}`), { stream: run.stream });
      expect(other.given()).toBe('value');
    },
  );

  test('other keys are NotFound, no message is BadArgument, no stream is NotFound', async () => {
    const run = await runScript(
      (s) => {
        callForeign(s, 'set_envoy_filter_state', state('mine', 'x'));
        callForeign(s, 'set_envoy_filter_state', Uint8Array.of(0x0a, 9));
      },
      {
        scripts: {
          proxy_on_configure: (s) =>
            callForeign(s, 'set_envoy_filter_state', state('envoy.string', 'x')).return(1),
        },
      },
    );
    expect(run.results(3)).toEqual([Status.NotFound, Status.BadArgument, Status.NotFound]);
    expect(run.host.messages).toEqual(['set_envoy_filter_state: there is no key "mine"']);
  });
});

describe('weir.set_metadata', () => {
  const METADATA = 'metadata\0filter_metadata';

  test('is dynamic metadata, at once and for others', async () => {
    const run = await runScript((s) => {
      callForeign(s, 'weir.set_metadata', 'my.filter\0user\0anna');
      get(s, `${METADATA}\0my.filter\0user`);
    });
    expect(run.results(2)).toEqual([Status.Ok, Status.Ok]);
    expect(run.given()).toBe('anna');
    const read = async (path: string): Promise<string> =>
      (await runScript((s) => get(s, path), { stream: run.stream })).given();
    expect(await read(`${METADATA}\0my.filter\0user`)).toBe('anna');
    expect(await read(`${METADATA}\0my.filter`)).toBe('\x01\0\0\0\x04\0\0\0\x04\0\0\0user\0anna\0');
    // Metadata { filter_metadata { "my.filter": Struct { "user": "anna" } } }
    expect(await read('metadata')).toBe(
      '\x0a\x1d' + '\x0a\x09my.filter' + '\x12\x10' + '\x0a\x0e' + '\x0a\x04user' + '\x12\x06\x1a\x04anna',
    );
  });

  test('without any, the message is empty and its parts are not there', async () => {
    const stream = new BareStream();
    const run = await runScript(
      (s) => {
        get(s, `${METADATA}\0my.filter`);
        get(s, 'metadata');
      },
      { stream },
    );
    expect([run.results(2), run.word(1)]).toEqual([[Status.NotFound, Status.Ok], 0]);
  });

  test.each(['', 'a', 'a\0b', '\0b\0c', 'a\0\0c'])('%j is BadArgument', async (args) => {
    const run = await runScript((s) => callForeign(s, 'weir.set_metadata', args));
    expect(run.results(1)).toEqual([Status.BadArgument]);
  });
});
