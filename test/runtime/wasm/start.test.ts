import { describe, expect, test } from 'vitest';
import { op } from '../../support/wasm-encoder.ts';
import { guest, type GuestOptions, type Script, type Scripts } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';

async function messages(scripts: Scripts, options: GuestOptions): Promise<string[]> {
  const host = new BareHost();
  await host.start(guest(scripts, options));
  return host.messages;
}

describe('the order of the start', () => {
  const says =
    (text: string) =>
    (s: Script): Script =>
      s.call('proxy_log', 2, s.text(text));

  test('_initialize, main, context create, VM start, configure; never _start beside _initialize', async () => {
    const lines = await messages(
      {
        proxy_on_context_create: says('create'),
        proxy_on_vm_start: (s) => says('vm')(s).return(1),
        proxy_on_configure: (s) => says('configure')(s).return(1),
      },
      { functions: { _initialize: says('initialize'), __main_void: says('main'), _start: says('start') } },
    );
    expect(lines).toEqual(['initialize', 'main', 'create', 'vm', 'configure']);
  });

  test('_start alone is called, and may end itself with proc_exit(0)', async () => {
    const lines = await messages(
      { proxy_on_context_create: says('create') },
      { functions: { _start: (s) => says('start')(s).call('proc_exit', 0) } },
    );
    expect(lines).toEqual(['start', 'create']);
  });

  test('the start section runs before the host holds the memory: its host calls do no harm', async () => {
    await messages({}, { start: (s) => s.call('sched_yield').call('proxy_get_log_level', s.out(0)) });
  });

  test('the legacy WASI module name is served too', async () => {
    const lines = await messages(
      {},
      { wasiModule: 'wasi_unstable', functions: { _start: (s) => s.call('proc_exit', 0) } },
    );
    expect(lines).toEqual([]);
  });
});

describe('a plugin that does not start says why', () => {
  test.each<[string, Scripts, GuestOptions, RegExp]>([
    ['a trap in _initialize', {}, { functions: { _initialize: (s) => s.trap() } }, /its start: unreachable/],
    [
      'proc_exit(3) in _start',
      {},
      { functions: { _start: (s) => s.call('proc_exit', 3) } },
      /its start: it exited with code 3/,
    ],
    [
      'a trap in VM start',
      { proxy_on_vm_start: (s) => s.trap() },
      {},
      /trap in proxy_on_vm_start: unreachable/,
    ],
    [
      'false from VM start',
      { proxy_on_vm_start: (s) => s.return(0) },
      {},
      /proxy_on_vm_start answered false/,
    ],
    [
      'false from configure',
      { proxy_on_configure: (s) => s.return(0) },
      {},
      /proxy_on_configure answered false/,
    ],
    [
      'a log line before',
      { proxy_on_configure: (s) => s.call('proxy_log', 4, s.text('key is missing')).return(0) },
      {},
      /answered false; it logged last: key is missing/,
    ],
    [
      'a host call that needs a context, in _initialize',
      {},
      { functions: { _initialize: (s) => s.call('proxy_get_property', s.text('a'), s.out(0), s.out(1)) } },
      /needs a context, made from the start function/,
    ],
    [
      'the same without a pointer',
      {},
      { functions: { _initialize: (s) => s.call('proxy_set_tick_period_milliseconds', 1) } },
      /needs a context, made from the start function/,
    ],
    [
      'a build of TinyGo that is broken on every host',
      {
        proxy_on_vm_start: (s) =>
          s.call('proxy_log', 4, s.text('go:wasmexport function called after main.main returned')).trap(),
      },
      {},
      /build it with -buildmode=c-shared/,
    ],
  ])('%s', async (_name, scripts, options, message) => {
    await expect(new BareHost().start(guest(scripts, options))).rejects.toThrow(message);
  });

  test.each<[string, Scripts, GuestOptions]>([
    ['in the start section', {}, { start: (s) => s.run(op.endless) }],
    ['in _initialize', {}, { functions: { _initialize: (s) => s.run(op.endless) } }],
    ['in configure', { proxy_on_configure: (s) => s.run(op.endless) }, {}],
  ])(
    'an endless loop %s is stopped',
    async (_name, scripts, options) => {
      const code = guest(scripts, options);
      await expect(new BareHost().start(code)).rejects.toThrow(
        'used more than its CPU budget of 1000 ms for its start',
      );
    },
    // A second of CPU time, on a machine that gives a tenth of it.
    60_000,
  );
});

describe('the allocator', () => {
  const asks = (allocate: number[]): Promise<unknown> =>
    new BareHost().start(
      guest(
        {
          proxy_on_configure: (s) => s.call('proxy_get_buffer_bytes', 7, 0, 9, s.out(0), s.out(1)).return(1),
        },
        { allocate },
      ),
      { configuration: 'text' },
    );

  test('a result of 0 is InvalidMemoryAccess for the call', async () => {
    await expect(asks(op.i32(0))).resolves.toBeDefined();
  });

  test('a result outside the memory is a trap', async () => {
    await expect(asks(op.i32(-16))).rejects.toThrow('the allocator returned memory that does not exist');
  });

  test('a trap in it is a trap of the callback', async () => {
    await expect(asks(op.unreachable)).rejects.toThrow('trap in proxy_on_configure: unreachable');
  });
});
