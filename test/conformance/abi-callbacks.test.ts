// Every callback of the ABI's table is made, when its time comes, with the parameters that the table gives it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { blockOf } from '../../src/runtime/grpc/metadata.ts';
import { MessageKind } from '../../src/runtime/http/headers.ts';
import { CALLBACKS } from '../../src/runtime/wasm/abi.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { pairs } from '../support/pairs.ts';
import { op } from '../support/wasm-encoder.ts';
import { guest, outWord, type Script, type Scripts } from '../support/wasm-guest.ts';
import { BareHost } from '../support/bare-host.ts';
import { BareStream } from '../support/bare-stream.ts';

interface World {
  readonly host: BareHost;
  readonly plugin: Plugin;
  readonly stream: BareStream;
  readonly context: StreamContext;
}

interface Call {
  /** Makes the host call it. Nothing for those that come with the start. */
  readonly when?: (world: World) => unknown;
  /** What the guest must be given. The root context is 1, the stream 2. */
  readonly gets: readonly number[];
  /** Callbacks that must happen before. */
  readonly scripts?: Scripts;
  readonly protocol?: 'tcp';
}

const ROOT = 1;
const STREAM = 2;
const VM_CONFIGURATION = 'for the VM';
const CONFIGURATION = 'for the plugin';
const ARGUMENTS = 8;

const answer = blockOf([':status', '200', 'a', 'b'], MessageKind.Response);
const trailers = blockOf(['x', 'y'], MessageKind.Trailers);

/** A head of which the filter sends something elsewhere. */
const sends = (send: (s: Script) => Script): Scripts => ({ proxy_on_request_headers: (s) => send(s) });
const head = ({ context, stream }: World): number => context.onRequestHeaders(stream.request().count, false);

/** Without a callback for it, a guest does not hear of a stream. */
const sees = sends((s) => s.return(0));

const httpCall = sends((s) =>
  s.call(
    'proxy_http_call',
    s.text('auth'),
    s.text(pairs([':method', 'GET'], [':path', '/'], [':authority', 'a'])),
    ...[0, 0, 0, 0, 100],
    s.out(ARGUMENTS),
  ),
);
const grpcStream = sends((s) =>
  s.call(
    'proxy_grpc_stream',
    ...[s.text('auth'), s.text('pkg.Auth'), s.text('Watch'), 0, 0],
    s.out(ARGUMENTS),
  ),
);
const limit = new Uint8Array(20);
const enqueue: Scripts = {
  proxy_on_configure: (s) =>
    s.call('proxy_register_shared_queue', s.text('jobs'), s.out(ARGUMENTS)).return(1),
  proxy_on_request_headers: (s) => s.call('proxy_enqueue_shared_queue', 1, s.text('job')),
};
const tick: Scripts = {
  proxy_on_configure: (s) => s.call('proxy_set_tick_period_milliseconds', 100).return(1),
};

const CALLS: Record<string, Call> = {
  proxy_on_context_create: { scripts: sees, when: head, gets: [STREAM, ROOT] },
  proxy_on_vm_start: { gets: [ROOT, VM_CONFIGURATION.length] },
  proxy_on_configure: { gets: [ROOT, CONFIGURATION.length] },
  proxy_on_done: { scripts: sees, when: (world) => (head(world), world.context.finish()), gets: [STREAM] },
  proxy_on_log: { when: (world) => (head(world), world.context.finish()), gets: [STREAM] },
  proxy_on_delete: { scripts: sees, when: (world) => (head(world), world.context.finish()), gets: [STREAM] },
  proxy_on_request_headers: { when: head, gets: [STREAM, 4, 0] },
  proxy_on_request_body: { when: ({ context }) => context.onRequestBody(7, true), gets: [STREAM, 7, 1] },
  proxy_on_request_trailers: { when: ({ context }) => context.onRequestTrailers(3), gets: [STREAM, 3] },
  proxy_on_response_headers: {
    when: ({ context }) => context.onResponseHeaders(5, true),
    gets: [STREAM, 5, 1],
  },
  proxy_on_response_body: { when: ({ context }) => context.onResponseBody(9, false), gets: [STREAM, 9, 0] },
  proxy_on_response_trailers: { when: ({ context }) => context.onResponseTrailers(1), gets: [STREAM, 1] },
  proxy_on_tick: { scripts: tick, when: () => vi.advanceTimersByTimeAsync(100), gets: [ROOT] },
  proxy_on_http_call_response: {
    scripts: httpCall,
    when: (world) => {
      head(world);
      const [{ sink, token }] = world.host.callouts.sent as [BareHost['callouts']['sent'][number]];
      sink.onResponse(token, answer, Buffer.from('body'), trailers);
    },
    gets: [ROOT, 1, 2, 4, 1],
  },
  proxy_on_queue_ready: {
    scripts: enqueue,
    when: async (world) => {
      head(world);
      await vi.advanceTimersByTimeAsync(1);
    },
    gets: [ROOT, 1],
  },
  proxy_on_foreign_function: {
    scripts: sends((s) =>
      s.call(
        'proxy_call_foreign_function',
        ...[s.text('weir.limit_take'), s.text(limitArguments()), s.out(ARGUMENTS), s.out(ARGUMENTS + 1)],
      ),
    ),
    when: (world) => {
      world.host.ledger.decision = null;
      head(world);
      const decision = { allowed: true, remaining: 4, limit: 5, resetMs: 1, retryAfterMs: 0 };
      world.host.ledger.taken[0]!.done(decision);
    },
    gets: [STREAM, 1, limit.length],
  },
  proxy_on_new_connection: {
    protocol: 'tcp',
    when: ({ context }) => context.onNewConnection(),
    gets: [STREAM],
  },
  proxy_on_downstream_data: {
    protocol: 'tcp',
    when: ({ context }) => context.onDownstreamData(6, false),
    gets: [STREAM, 6, 0],
  },
  proxy_on_upstream_data: {
    protocol: 'tcp',
    when: ({ context }) => context.onUpstreamData(0, true),
    gets: [STREAM, 0, 1],
  },
  proxy_on_downstream_connection_close: {
    protocol: 'tcp',
    when: ({ context }) => context.onDownstreamClose(2),
    gets: [STREAM, 2],
  },
  proxy_on_upstream_connection_close: {
    protocol: 'tcp',
    when: ({ context }) => context.onUpstreamClose(1),
    gets: [STREAM, 1],
  },
  proxy_on_grpc_receive_initial_metadata: {
    scripts: grpcStream,
    when: (world) => (head(world), world.host.grpc.opened[0]!.sink.onInitialMetadata(answer)),
    gets: [ROOT, 1, 2],
  },
  proxy_on_grpc_receive: {
    scripts: grpcStream,
    when: (world) => (head(world), world.host.grpc.opened[0]!.sink.onMessage(Buffer.from('hello'))),
    gets: [ROOT, 1, 5],
  },
  proxy_on_grpc_receive_trailing_metadata: {
    scripts: grpcStream,
    when: (world) => (head(world), world.host.grpc.opened[0]!.sink.onTrailingMetadata(trailers)),
    gets: [ROOT, 1, 1],
  },
  proxy_on_grpc_close: {
    scripts: grpcStream,
    when: (world) => (head(world), world.host.grpc.opened[0]!.sink.onClose(7, 'no')),
    gets: [ROOT, 1, 7],
  },
  weir_on_explain: { scripts: sees, when: (world) => (head(world), world.context.explain()), gets: [STREAM] },
};

/** docs/foreign-functions.md: a limit of 10 in a second, of which one is taken by the key `k`. */
function limitArguments(): Uint8Array {
  const args = Buffer.alloc(21);
  args.writeUInt32LE(1, 4);
  for (const [i, value] of [10, 1000, 5].entries()) args.writeUInt32LE(value, 8 + 4 * i);
  args.write('k', 20);
  return args;
}

/** Leaves what it is given in the out area. */
function notes(name: string, before: ((s: Script) => unknown) | undefined): (s: Script) => void {
  const { params, results } = CALLBACKS.find((row) => row.name === name)!;
  return (s) => {
    for (let i = 0; i < params.length; i++) s.run(op.i32(s.out(i)), op.localGet(i), op.store());
    s.call('proxy_log', 2, s.text('called'));
    before?.(s);
    if (results !== '') s.return(name === 'proxy_on_vm_start' || name === 'proxy_on_configure' ? 1 : 0);
  };
}

async function start(name: string, { scripts = {}, protocol }: Call): Promise<World> {
  const host = new BareHost();
  const code = guest({ ...scripts, [name]: notes(name, scripts[name]) });
  const spec = { vmConfiguration: VM_CONFIGURATION, configuration: CONFIGURATION };
  const plugin = await host.start(code, spec);
  const stream = new BareStream();
  if (protocol !== undefined) stream.protocol = protocol;
  return { host, plugin, stream, context: plugin.createContext(stream)! };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the callbacks', () => {
  test('all have a way to be made in this test', () => {
    expect(Object.keys(CALLS)).toEqual(CALLBACKS.map(({ name }) => name));
  });

  test.each(Object.entries(CALLS))('%s is made with its parameters', async (name, call) => {
    const world = await start(name, call);
    await call.when?.(world);
    expect(world.host.messages.filter((message) => message === 'called').length).toBeGreaterThan(0);
    expect(call.gets.map((_, i) => outWord(world.context.vm, i))).toEqual(call.gets);
    expect(call.gets).toHaveLength(CALLBACKS.find((row) => row.name === name)!.params.length);
    expect(world.plugin.traps).toBe(0);
  });
});
