import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TRAPPED } from '../../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../../src/runtime/wasm/plugin.ts';
import { op } from '../../support/wasm-encoder.ts';
import { guest, results, type Script, type Scripts } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { BareStream } from '../../support/bare-stream.ts';

/** Logs its name and the id of its context, which is parameter 0: one digit. */
const trace =
  (name: string, result?: number) =>
  (script: Script): void => {
    const [at, size] = script.text(`${name} #`);
    script.run(op.i32(at + size - 1), op.localGet(0), op.i32(48), op.add, [0x3a, 0, 0]);
    script.call('proxy_log', 2, at, size);
    if (result !== undefined) script.return(result);
  };

const TRACED: Scripts = {
  proxy_on_context_create: trace('create'),
  proxy_on_request_headers: trace('request', 0),
  proxy_on_response_headers: trace('response', 0),
  proxy_on_done: trace('done', 1),
  proxy_on_log: trace('log'),
  proxy_on_delete: trace('delete'),
};

/** Traps where the request has the path /trap, does `otherwise` else: told apart by the size of the value. */
const TRAPS_ON_DEMAND: Scripts = {
  proxy_on_request_headers: (s) => {
    s.call('proxy_replace_header_map_value', 0, s.text('x-edit'), s.text('1'));
    s.call('proxy_continue_stream', 0);
    s.call('proxy_get_header_map_value', 0, s.text(':path'), s.out(0), s.out(1));
    s.run(op.i32(s.out(1)), op.load(), op.i32(5), [0x46], [0x04, 0x40], op.unreachable, [0x0b]);
  },
};

function request(plugin: Plugin, path = '/'): { stream: BareStream; action: number | null } {
  const stream = new BareStream();
  const head = stream.request([[':path', path]]);
  const context = plugin.createContext(stream);
  const action = context === null ? null : context.onRequestHeaders(head.count, true);
  context?.finish();
  return { stream, action };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the life of contexts', () => {
  test('one counter for root and streams; done, log, delete; a plugin that saw nothing is told nothing', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(TRACED));
    const stream = new BareStream();
    stream.request();
    const unseen = plugin.createContext(stream)!;
    const first = plugin.createContext(stream)!;
    const second = plugin.createContext(stream)!;
    first.onRequestHeaders(4, true);
    second.onRequestHeaders(4, true);
    first.onResponseHeaders(1, true);
    unseen.finish();
    first.finish();
    plugin.createContext(stream)!.finish();
    second.finish();
    await plugin.retire();
    expect(host.messages).toEqual([
      'create 1',
      'create 2',
      'request 2',
      'create 3',
      'request 3',
      'response 2',
      'done 2',
      'log 2',
      'delete 2',
      'done 3',
      'log 3',
      'delete 3',
      'done 1',
      'delete 1',
    ]);
  });

  test('a filter that only logs is told of every stream', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest({ proxy_on_log: trace('log') }));
    request(plugin);
    expect(host.messages).toEqual(['log 2']);
  });

  test('ids differ while they live, however many there are', async () => {
    const plugin = await new BareHost().start(guest({ proxy_on_request_headers: () => {} }));
    const stream = new BareStream();
    const contexts = Array.from({ length: 1000 }, () => plugin.createContext(stream)!);
    for (const context of contexts) context.onRequestHeaders(4, true);
    for (const context of contexts.splice(0, 500)) context.finish();
    for (let i = 0; i < 500; i++) {
      contexts.push(plugin.createContext(stream)!);
      contexts.at(-1)!.onRequestHeaders(4, true);
    }
    expect(new Set(contexts.map(({ id }) => id)).size).toBe(1000);
  });

  test('in the log phase the maps are shown and not changed', async () => {
    const host = new BareHost();
    const plugin = await host.start(
      guest({
        proxy_on_request_headers: () => {},
        proxy_on_log: (s) => {
          s.call('proxy_add_header_map_value', 0, s.text('late'), s.text('1'));
          s.call('proxy_send_local_response', 200, 0, 0, 0, 0, 0, 0, -1);
        },
      }),
    );
    const { stream } = request(plugin);
    expect(stream.headerMap(0)!.get('late')).toBeUndefined();
    expect(stream.replies).toEqual([]);
  });
});

describe('a trap', () => {
  test('undoes what the callback did, costs one request, and another instance takes over', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(TRAPS_ON_DEMAND));
    expect(request(plugin).stream.headerMap(0)!.get('x-edit')).toBe('1');

    const { stream, action } = request(plugin, '/trap');
    expect(action).toBe(TRAPPED);
    expect(stream.headerMap(0)!.get('x-edit')).toBeUndefined();
    expect(stream.resumed).toEqual([]);
    expect(plugin.health).toBe('recovering');
    expect(plugin.createContext(stream)).toBeNull();

    await vi.advanceTimersByTimeAsync(1);
    expect(plugin.health).toBe('healthy');
    expect(request(plugin).action).toBe(0);
    expect(plugin.traps).toBe(1);
    expect(host.messages).toEqual([
      expect.stringMatching(
        /^trap in proxy_on_request_headers: unreachable in wasm-function\[\d+\]:0x[0-9a-f]+$/,
      ),
    ]);
  });

  test('streams with contexts in the instance are told once; those that it does not know yet move on', async () => {
    const plugin = await new BareHost().start(guest(TRAPS_ON_DEMAND));
    const known = new BareStream();
    const knownContext = plugin.createContext(known)!;
    knownContext.onRequestHeaders(known.request().count, true);
    const fresh = new BareStream();
    const freshContext = plugin.createContext(fresh)!;
    fresh.request();
    const { stream } = request(plugin, '/trap');

    await vi.advanceTimersByTimeAsync(1);
    expect(known.failed).toEqual([knownContext]);
    expect(stream.failed).toEqual([]);
    expect(fresh.failed).toEqual([]);
    expect(knownContext.onRequestHeaders(4, true)).toBe(TRAPPED);
    expect(freshContext.onRequestHeaders(4, true)).toBe(0);
    knownContext.finish();
    freshContext.finish();
  });

  test('replacements wait longer each time; five traps in a minute trip the breaker', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(TRAPS_ON_DEMAND));
    const pass = async (ms: number): Promise<void> => {
      host.now += ms;
      await vi.advanceTimersByTimeAsync(ms);
    };
    for (const delay of [0, 1000, 2000, 4000]) {
      expect(request(plugin, '/trap').action).toBe(TRAPPED);
      if (delay > 0) await pass(delay - 1);
      expect(plugin.instances).toBe(0);
      await pass(1);
      expect(plugin.health).toBe('healthy');
    }
    request(plugin, '/trap');
    expect(plugin.health).toBe('tripped');
    await pass(59_999);
    expect(plugin.instances).toBe(0);
    await pass(1);
    expect(plugin.health).toBe('healthy');
    expect(request(plugin).action).toBe(0);
  });

  test('a plugin whose instance lives a minute is forgiven', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(TRAPS_ON_DEMAND));
    for (let i = 0; i < 10; i++) {
      host.now += 60_001;
      request(plugin, '/trap');
      await vi.advanceTimersByTimeAsync(1);
      expect(plugin.health).toBe('healthy');
    }
  });

  test.each<[string, Scripts]>([
    [
      'context create',
      { proxy_on_context_create: (s) => s.run(op.localGet(1), [0x04, 0x40], op.unreachable, [0x0b]) },
    ],
    ['the allocator', {}],
  ])('in %s is one of the callback', async (name, scripts) => {
    const plugin = await new BareHost().start(
      guest(
        {
          proxy_on_request_headers: (s) =>
            s.call('proxy_get_header_map_value', 0, s.text(':path'), s.out(0), s.out(1)),
          ...scripts,
        },
        name === 'the allocator' ? { allocate: op.unreachable } : {},
      ),
    );
    expect(request(plugin).action).toBe(TRAPPED);
  });

  test.each(['proxy_on_done', 'proxy_on_log', 'proxy_on_delete'])(
    'in %s ends the instance and nothing else',
    async (name) => {
      const plugin = await new BareHost().start(
        guest({ proxy_on_request_headers: () => {}, [name]: (s) => void s.trap() }),
      );
      const { stream, action } = request(plugin);
      await vi.advanceTimersByTimeAsync(1);
      expect(action).toBe(0);
      expect(stream.failed).toEqual([]);
      expect(plugin.traps).toBe(1);
      expect(plugin.instances).toBe(1);
    },
  );

  test('in a tick fails the streams of the instance', async () => {
    const plugin = await new BareHost().start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_set_tick_period_milliseconds', 50).return(1),
        proxy_on_request_headers: () => {},
        proxy_on_tick: (s) => s.trap(),
      }),
    );
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    context.onRequestHeaders(stream.request().count, false);
    await vi.advanceTimersByTimeAsync(50);
    expect(stream.failed).toEqual([context]);
    context.finish();
  });

  test('by endless recursion is a trap as any other', async () => {
    const plugin = await new BareHost().start(
      guest(
        { proxy_on_request_headers: () => {} },
        {
          encode: (e) => {
            // The next function calls itself; its index is the one before the export's.
            const next = e.function('', '', []) + 1;
            e.export(
              'proxy_on_response_headers',
              e.function('iii', 'i', [...op.i32(0), ...op.i32(0), ...op.i32(0), ...op.call(next)]),
            );
          },
        },
      ),
    );
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    expect(context.onResponseHeaders(1, true)).toBe(TRAPPED);
  });

  test('an exit of the guest is a trap', async () => {
    const plugin = await new BareHost().start(
      guest({ proxy_on_request_headers: (s) => s.call('proc_exit', 0) }),
    );
    expect(request(plugin).action).toBe(TRAPPED);
  });

  test('AssemblyScript aborts with its message in the log', async () => {
    const host = new BareHost();
    const string = (text: string): Uint8Array =>
      Buffer.concat([Buffer.from(Uint32Array.of(2 * text.length).buffer), Buffer.from(text, 'utf16le')]);
    const plugin = await host.start(
      guest({
        proxy_on_request_headers: (s) => {
          const [message] = s.text(string('no way'));
          const [file] = s.text(string('a.ts'));
          s.call('abort', message + 4, file + 4, 12, 3);
        },
      }),
    );
    expect(request(plugin).action).toBe(TRAPPED);
    expect(host.messages[0]).toBe('abort: no way at a.ts:12:3');
  });
});

describe('ticks', () => {
  test('come at their period, change it, and stop', async () => {
    const host = new BareHost();
    const plugin = await host.start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_set_tick_period_milliseconds', 100).return(1),
        proxy_on_tick: (s) => {
          trace('tick')(s);
          s.call('proxy_set_tick_period_milliseconds', 300);
        },
      }),
    );
    await vi.advanceTimersByTimeAsync(100);
    expect(host.messages).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(299);
    expect(host.messages).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(host.messages).toEqual(['tick 1', 'tick 1']);
    await plugin.retire();
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.messages).toHaveLength(2);
  });
});

describe('retiring', () => {
  test('waits for the last stream, which works to its end', async () => {
    const host = new BareHost();
    const plugin = await host.start(guest(TRACED));
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    context.onRequestHeaders(stream.request().count, true);
    let ended = false;
    void plugin.retire().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended).toBe(false);
    expect(context.onResponseHeaders(1, true)).toBe(0);
    context.finish();
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toBe(true);
    expect(host.messages.slice(-2)).toEqual(['done 1', 'delete 1']);
    expect(plugin.createContext(stream)).toBeNull();
  });

  test('a root that answers false to done is deleted when it says proxy_done', async () => {
    const host = new BareHost();
    const plugin = await host.start(
      guest({
        proxy_on_configure: (s) =>
          s.call('proxy_done').call('proxy_set_tick_period_milliseconds', 500).return(1),
        proxy_on_done: trace('done', 0),
        proxy_on_tick: (s) => s.call('proxy_done'),
        proxy_on_delete: trace('delete'),
      }),
    );
    const ended = plugin.retire();
    await vi.advanceTimersByTimeAsync(499);
    expect(host.messages).toEqual(['done 1']);
    await vi.advanceTimersByTimeAsync(2);
    await ended;
    expect(host.messages).toEqual(['done 1', 'delete 1']);
  });

  test('and is deleted after ten seconds where it never does', async () => {
    const host = new BareHost();
    const plugin = await host.start(
      guest({ proxy_on_done: trace('done', 0), proxy_on_delete: trace('delete') }),
    );
    const ended = plugin.retire();
    await vi.advanceTimersByTimeAsync(10_000);
    await ended;
    expect(host.messages).toEqual(['done 1', 'delete 1']);
  });

  test('a retired plugin whose last stream traps is not replaced', async () => {
    const plugin = await new BareHost().start(guest(TRAPS_ON_DEMAND));
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    const ended = plugin.retire();
    const head = stream.request([[':path', '/trap']]);
    expect(context.onRequestHeaders(head.count, true)).toBe(TRAPPED);
    context.finish();
    await ended;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(plugin.instances).toBe(0);
  });
});

describe('the effective context', () => {
  test('a tick resumes a stream by its id; an id that is gone is BadArgument', async () => {
    const plugin = await new BareHost().start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_set_tick_period_milliseconds', 10).return(1),
        proxy_on_request_headers: (s) => s.return(1),
        proxy_on_tick: (s) =>
          s
            .call('proxy_set_effective_context', 2)
            .call('proxy_replace_header_map_value', 0, s.text('x-tick'), s.text('1'))
            .call('proxy_continue_stream', 0)
            .call('proxy_set_effective_context', 77)
            .call('proxy_set_effective_context', 1)
            .call('proxy_continue_stream', 0),
      }),
    );
    const stream = new BareStream();
    const context = plugin.createContext(stream)!;
    expect(context.onRequestHeaders(stream.request().count, true)).toBe(1);
    await vi.advanceTimersByTimeAsync(10);
    expect(stream.headerMap(0)!.get('x-tick')).toBe('1');
    expect(stream.resumed).toEqual([0]);
    expect(results(context.vm, 7)).toEqual([0, 0, 0, 0, 2, 0, 0]);
  });

  test('a reply to another stream does not stop the one whose callback runs', async () => {
    const plugin = await new BareHost().start(
      guest({
        proxy_on_request_headers: () => {},
        proxy_on_request_body: (s) =>
          s
            .call('proxy_set_effective_context', 2)
            .call('proxy_send_local_response', 503, 0, 0, 0, 0, 0, 0, -1),
      }),
    );
    const [first, second] = [new BareStream(), new BareStream()];
    plugin.createContext(first)!.onRequestHeaders(first.request().count, true);
    const context = plugin.createContext(second)!;
    context.onRequestHeaders(second.request().count, false);
    expect(context.onRequestBody(1, true)).toBe(0);
    expect(first.replies.map(({ status }) => status)).toEqual([503]);
    expect(second.replies).toEqual([]);
  });

  test('a stream that is resumed may call the same instance again before the first call returns', async () => {
    const plugin = await new BareHost().start(
      guest({
        proxy_on_request_headers: (s) => s.call('proxy_continue_stream', 0).call('proxy_close_stream', 0),
        proxy_on_request_body: (s) => s.call('proxy_continue_stream', 1),
      }),
    );
    const stream = new BareStream();
    stream.onResume = (type, context) => void (type === 0 && context.onRequestBody(0, true));
    plugin.createContext(stream)!.onRequestHeaders(stream.request().count, false);
    expect(stream.resumed).toEqual([0, 1]);
    expect(stream.closed).toEqual([0]);
  });
});

test('memory that grows within a host call is seen by the next', async () => {
  const host = new BareHost();
  const grows = [...op.i32(1), ...op.grow, ...op.drop, ...op.i32(0x9000)];
  const plugin = await host.start(
    guest(
      {
        proxy_on_request_headers: (s) =>
          s
            .call('proxy_get_header_map_pairs', 0, s.out(0), s.out(1))
            .call('proxy_get_header_map_value', 0, s.text(':path'), s.out(2), s.out(3))
            .grow(1)
            .call('proxy_get_buffer_bytes', 7, 0, 9, s.out(4), s.out(5))
            .call('proxy_replace_header_map_value', 0, s.text('x-grown'), s.text('yes')),
      },
      { allocate: grows },
    ),
    { configuration: 'config' },
  );
  const { stream, action } = request(plugin, '/grown');
  expect(action).toBe(0);
  expect(stream.headerMap(0)!.get('x-grown')).toBe('yes');
});
