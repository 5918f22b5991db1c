import { describe, expect, test } from 'vitest';
import { BufferType, HOST_FUNCTIONS, MapType, Status } from '../../../src/runtime/wasm/abi.ts';
import {
  CAPABILITIES,
  DEFAULT_CAPABILITIES,
  expandCapabilities,
  isCapability,
} from '../../../src/runtime/wasm/capabilities.ts';
import { FOREIGN_FUNCTIONS } from '../../../src/runtime/wasm/foreign-functions.ts';
import { compileModule } from '../../../src/runtime/wasm/module.ts';
import { guest } from '../../support/wasm-guest.ts';
import { PLUGIN } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

/** Needs no capability: logs, clocks, contexts, configuration, WASI. */
const FREE = [
  'proxy_log',
  'proxy_get_log_level',
  'proxy_get_current_time_nanoseconds',
  'proxy_set_effective_context',
  'proxy_done',
  'proxy_get_configuration',
  'proxy_continue_stream',
  'proxy_continue_request',
  'proxy_continue_response',
  'proxy_get_status',
  'emscripten_notify_memory_growth',
  'pthread_equal',
  'abort',
  'seed',
];

const without = (...names: string[]) => PLUGIN.capabilities.filter((name) => !names.includes(name));

describe('the table of capabilities', () => {
  const named = CAPABILITIES.flatMap(({ functions, messageFunctions }) => [
    ...functions,
    ...messageFunctions,
  ]);

  test('every host function of the ABI needs one capability, or stands among those that need none', () => {
    const env = HOST_FUNCTIONS.filter(({ module }) => module === 'env').map(({ name }) => name);
    expect([...named, ...FREE].sort()).toEqual([...env].sort());
  });

  test('all but secrets are there by default', () => {
    expect(PLUGIN.capabilities.filter((name) => !DEFAULT_CAPABILITIES.includes(name))).toEqual(['secrets']);
  });

  test.each([
    [undefined, [...DEFAULT_CAPABILITIES]],
    [[], []],
    [
      ['body', 'headers'],
      ['headers', 'body'],
    ],
    [
      ['secrets', 'default'],
      [...DEFAULT_CAPABILITIES, 'secrets'],
    ],
    [
      ['foreign/b', 'foreign/a'],
      ['foreign/a', 'foreign/b'],
    ],
    [['foreign/a', 'foreign'], ['foreign']],
  ])('%j stands for %j', (words, granted) => {
    expect(expandCapabilities(words)).toEqual(granted);
  });

  test.each(['default', 'secrets', 'foreign/weir.limit_take'])('%s is a word of it', (word) => {
    expect(isCapability(word)).toBe(true);
  });

  test.each(['header', 'foreign/', 'foreign/a b', 'proxy_log', ''])('"%s" is none', (word) => {
    expect(isCapability(word)).toBe(false);
  });
});

describe('a module without a capability', () => {
  const whole = CAPABILITIES.flatMap(({ name, functions }) => functions.map((each) => [each, name] as const));

  test.each(whole)(
    'loads, and %s answers InternalFailure and says once that it needs %s',
    async (name, capability) => {
      const params = HOST_FUNCTIONS.find((each) => each.name === name)!.params;
      const zeros = [...params].map((type) => (type === 'I' ? 0n : 0));
      const run = await runScript((s) => s.call(name, ...zeros).call(name, ...zeros), {
        spec: { capabilities: without(capability) },
      });
      expect(run.results(2)).toEqual([Status.InternalFailure, Status.InternalFailure]);
      expect(run.host.messages).toEqual([
        `it called ${name} without the capability "${capability}": answered InternalFailure`,
      ]);
      expect(run.plugin.traps).toBe(0);
    },
  );

  test('reads no field of the message without headers, but maps of callouts', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_header_map_value', MapType.RequestHeaders, s.text(':path'), s.out(0), s.out(1))
          .call('proxy_get_header_map_pairs', MapType.ResponseTrailers, s.out(0), s.out(1))
          .call('proxy_get_header_map_size', MapType.RequestTrailers, s.out(0))
          .call('proxy_get_header_map_pairs', MapType.HttpCallResponseHeaders, s.out(0), s.out(1)),
      { spec: { capabilities: without('headers') } },
    );
    expect(run.results(4)).toEqual([10, 10, 10, Status.Ok]);
  });

  test('reads no body without body, but its configuration', async () => {
    const stream = new BareStream();
    stream.request();
    stream.setBody(0, 'body');
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_buffer_bytes', BufferType.RequestBody, 0, 9, s.out(0), s.out(1))
          .call('proxy_get_buffer_status', BufferType.RequestBody, s.out(0), s.out(1))
          .call('proxy_get_buffer_bytes', BufferType.PluginConfiguration, 0, 9, s.out(2), s.out(3)),
      { spec: { capabilities: without('body'), configuration: 'config' }, stream },
    );
    expect(run.results(3)).toEqual([10, 10, Status.Ok]);
    expect(run.given(2)).toBe('config');
  });

  test('calls the foreign functions that it was granted by name, and no others', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_call_foreign_function', s.text('clear_route_cache'), 0, 0, 0, 0)
          .call('proxy_call_foreign_function', s.text('weir.limit_take'), 0, 0, 0, 0)
          .call('proxy_call_foreign_function', s.text('no.such'), 0, 0, 0, 0),
      { spec: { capabilities: ['foreign/clear_route_cache'] } },
    );
    expect(run.results(3)).toEqual([Status.Ok, Status.InternalFailure, Status.NotFound]);
    expect(run.host.messages[0]).toBe(
      'it called weir.limit_take without the capability "foreign/weir.limit_take": answered InternalFailure',
    );
    expect(FOREIGN_FUNCTIONS.has('weir.limit_take')).toBe(true);
  });

  test('has no warning for it when it is compiled', async () => {
    expect((await compileModule(guest({ proxy_on_request_headers: () => {} }))).warnings).toEqual([]);
  });
});
