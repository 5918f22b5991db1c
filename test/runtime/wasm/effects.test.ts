// What a callback asked for happens when it has returned, all of it or nothing (docs/security.md, section 6).
import { describe, expect, test } from 'vitest';
import { BufferType, MapType } from '../../../src/runtime/wasm/abi.ts';
import { TRAPPED } from '../../../src/runtime/wasm/context.ts';
import { compileModule } from '../../../src/runtime/wasm/module.ts';
import { callForeign } from '../../support/foreign.ts';
import { guest, type Script } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { BareStream } from '../../support/bare-stream.ts';

const { RequestHeaders, RequestTrailers, ResponseHeaders, ResponseTrailers } = MapType;
const { RequestBody, ResponseBody } = BufferType;

/** `loop (br 0) end`: nothing but the meter ends it. */
const ENDLESS_LOOP = [0x03, 0x40, 0x0c, 0x00, 0x0b];
const PAIR = Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x61, 0, 0x62, 0]);

const EFFECTS: Record<string, (s: Script) => Script> = {
  'a field that is added': (s) =>
    s.call('proxy_add_header_map_value', RequestHeaders, s.text('x-new'), s.text('1')),
  'a field that is replaced': (s) =>
    s.call('proxy_replace_header_map_value', ResponseHeaders, s.text('server'), s.text('2')),
  'a pseudo-header that is replaced': (s) =>
    s.call('proxy_replace_header_map_value', RequestHeaders, s.text(':path'), s.text('/b')),
  'a field that is removed': (s) => s.call('proxy_remove_header_map_value', RequestHeaders, s.text('x-old')),
  'a map that is replaced': (s) => s.call('proxy_set_header_map_pairs', ResponseTrailers, s.text(PAIR)),
  'trailers where there were none': (s) =>
    s.call('proxy_add_header_map_value', RequestTrailers, s.text('x-t'), s.text('1')),
  'a body that is replaced': (s) => s.call('proxy_set_buffer_bytes', RequestBody, 0, 4, s.text('BODY')),
  'a body that is appended to': (s) =>
    s.call('proxy_set_buffer_bytes', ResponseBody, 0xffff_ffff, 0, s.text('more')),
  'a reply': (s) => s.call('proxy_send_local_response', 403, s.text('why'), s.text('no'), 0, 0, -1),
  'a request that is resumed': (s) => s.call('proxy_continue_stream', 0),
  'an answer that is resumed': (s) => s.call('proxy_continue_stream', 1),
  'a stream that is closed': (s) => s.call('proxy_close_stream', 0),
  'a property that is set': (s) => s.call('proxy_set_property', s.text('my\0key'), s.text('value')),
  'routing again': (s) => callForeign(s, 'clear_route_cache', ''),
  'metadata that are set': (s) => callForeign(s, 'weir.set_metadata', 'my.filter\0user\0anna'),
  'filter state that is set': (s) =>
    callForeign(s, 'set_envoy_filter_state', Buffer.from('\x0a\x0cenvoy.string\x12\x01v', 'latin1')),
};

const ENDS: Record<string, (s: Script) => unknown> = {
  unreachable: (s) => s.trap(),
  'an exception of AssemblyScript': (s) => s.call('abort', 0, 0, 0, 0),
  proc_exit: (s) => s.call('proc_exit', 1),
  'a loop that the meter ends': (s) => s.run(ENDLESS_LOOP),
};

function stream(): BareStream {
  const made = new BareStream();
  made.takesTrailers = true;
  made.request([['x-old', '1']]);
  made.response([
    [':status', '200'],
    ['server', '1'],
  ]);
  made.responseTrailers([['x-trailer', '1']]);
  made.setBody(0, 'body');
  made.setBody(1, 'body');
  return made;
}

/** All that a filter can change of a stream. */
function look(of: BareStream): unknown {
  return {
    maps: [0, 1, 2, 3].map((type) => of.headerMap(type)?.entries() ?? []),
    bodies: [0, 1].map((type) => of.bodyText(type)),
    replies: of.replies.length,
    resumed: [...of.resumed],
    closed: [...of.closed],
    routeCacheClears: of.routeCacheClears,
    states: ['', 'my', 'metadata', 'filter_state'].flatMap((prefix) =>
      of.states(prefix).map(([rest, value]) => [prefix, rest, value]),
    ),
  };
}

async function run(
  script: (s: Script) => unknown,
): Promise<{ before: unknown; after: unknown; action: number }> {
  const module = await compileModule(guest({ proxy_on_request_headers: (s) => void script(s) }), {
    cpu: { perCallMs: 1 },
  });
  const plugin = await new BareHost().start(module);
  const seen = stream();
  const before = look(seen);
  const action = plugin.createContext(seen)!.onRequestHeaders(5, false);
  return { before, after: look(seen), action };
}

describe.each(Object.entries(EFFECTS))('%s', (_, effect) => {
  test('happens where the callback returns', async () => {
    const { before, after, action } = await run(effect);
    expect(action).not.toBe(TRAPPED);
    expect(after).not.toEqual(before);
  });

  test.each(Object.entries(ENDS))('does not where it ends by %s', async (_, end) => {
    const { before, after, action } = await run((s) => end(effect(s)));
    expect(action).toBe(TRAPPED);
    expect(after).toEqual(before);
  });
});

test('all of them together do not happen either', async () => {
  const { before, after } = await run((s) => {
    for (const effect of Object.values(EFFECTS)) effect(s);
    s.trap();
  });
  expect(after).toEqual(before);
});
