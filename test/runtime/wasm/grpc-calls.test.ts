import { describe, expect, test } from 'vitest';
import { blockOf } from '../../../src/runtime/grpc/metadata.ts';
import { GrpcStatus } from '../../../src/runtime/grpc/status.ts';
import { MessageKind, type HeaderBlock } from '../../../src/runtime/http/headers.ts';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { protobufBytes } from '../../../src/runtime/wasm/protobuf.ts';
import { pairs } from '../../support/pairs.ts';
import type { Script, Scripts } from '../../support/wasm-guest.ts';
import { BareHost, type OpenedGrpc } from '../../support/bare-host.ts';
import { runScript, type Run, type RunOptions } from '../../support/bare-run.ts';

interface Asked {
  readonly upstream?: string | Uint8Array;
  readonly service?: string;
  readonly method?: string;
  readonly metadata?: Uint8Array;
  readonly message?: string;
  readonly timeoutMs?: number;
}

const NONE = new Uint8Array(0);

const call = (s: Script, asked: Asked = {}): Script =>
  s.call(
    'proxy_grpc_call',
    s.text(asked.upstream ?? 'auth'),
    s.text(asked.service ?? 'pkg.Auth'),
    s.text(asked.method ?? 'Check'),
    s.text(asked.metadata ?? NONE),
    s.text(asked.message ?? 'ask'),
    asked.timeoutMs ?? 250,
    s.out(0),
  );

const stream = (s: Script, asked: Asked = {}): Script =>
  s.call(
    'proxy_grpc_stream',
    s.text(asked.upstream ?? 'auth'),
    s.text(asked.service ?? 'pkg.Auth'),
    s.text(asked.method ?? 'Watch'),
    s.text(asked.metadata ?? NONE),
    s.out(0),
  );

/** Logs each callback, and leaves metadata, message and status in the out area. */
const READS: Scripts = {
  proxy_on_grpc_receive_initial_metadata: (s) =>
    s
      .call('proxy_log', 2, s.text('initial'))
      .call('proxy_get_header_map_value', 4, s.text('x-head'), s.out(2), s.out(3)),
  proxy_on_grpc_receive: (s) =>
    s
      .call('proxy_log', 2, s.text('message'))
      .call('proxy_get_buffer_bytes', 5, 0, 100, s.out(2), s.out(3))
      .call('proxy_get_status', s.out(4), s.out(5), s.out(6)),
  proxy_on_grpc_receive_trailing_metadata: (s) =>
    s
      .call('proxy_log', 2, s.text('trailing'))
      .call('proxy_get_header_map_value', 5, s.text('x-tail'), s.out(2), s.out(3)),
  proxy_on_grpc_close: (s) =>
    s.call('proxy_log', 2, s.text('close')).call('proxy_get_status', s.out(4), s.out(5), s.out(6)),
};

const run = (script: (s: Script) => Script, options: RunOptions = {}): Promise<Run> =>
  runScript(script, { scripts: READS, ...options });

const opened = (ran: Run, index = 0): OpenedGrpc => ran.host.grpc.opened[index]!;
const head = (...raw: string[]): HeaderBlock => blockOf(raw, MessageKind.Response);
const tail = (...raw: string[]): HeaderBlock => blockOf(raw, MessageKind.Trailers);

/** `GrpcService` with `envoy_grpc`, and one field of initial metadata. */
const SERVICE = Buffer.concat([
  protobufBytes(1, Buffer.concat([protobufBytes(1, 'auth'), protobufBytes(2, 'auth.example')])),
  protobufBytes(5, Buffer.concat([protobufBytes(1, 'X-From'), protobufBytes(2, 'service')])),
]);

describe('beginning a call', () => {
  test('the transport gets cluster, path, metadata, message and time; the guest an id', async () => {
    const ran = await run((s) =>
      call(s, { metadata: pairs(['X-One', 'a'], ['X-Data-Bin', '\u0001\u0002\n']) }),
    );
    expect(ran.results(1)).toEqual([Status.Ok]);
    expect(ran.word(0)).toBe(1);
    const { cluster, request, sent, ended } = opened(ran);
    expect([cluster, request.path, request.authority, request.timeoutMs, request.idleMs]).toEqual([
      7,
      '/pkg.Auth/Check',
      '',
      250,
      0,
    ]);
    expect(request.metadata.entries()).toEqual([
      ['x-one', 'a'],
      ['x-data-bin', 'AQIK'],
    ]);
    expect([sent, ended]).toEqual([['ask'], true]);
  });

  test('a stream stays open, and has a limit on idleness in the place of one on its time', async () => {
    const ran = await run((s) => stream(s));
    expect(ran.results(1)).toEqual([Status.Ok]);
    const { request, sent, ended } = opened(ran);
    expect([request.path, request.timeoutMs, request.idleMs]).toEqual(['/pkg.Auth/Watch', 0, 300_000]);
    expect([sent, ended]).toEqual([[], false]);
  });

  test.each([
    [0, 5000],
    [60_000, 5000],
    [-1, 5000],
    [20, 20],
  ])('a time limit of %i ms becomes %i', async (timeoutMs, expected) => {
    expect(opened(await run((s) => call(s, { timeoutMs }))).request.timeoutMs).toBe(expected);
  });

  test('the upstream may be a serialised GrpcService of Envoy', async () => {
    const ran = await run((s) => call(s, { upstream: SERVICE }));
    expect(ran.results(1)).toEqual([Status.Ok]);
    expect(opened(ran).request.authority).toBe('auth.example');
    expect(opened(ran).request.metadata.entries()).toEqual([['x-from', 'service']]);
  });

  test('or one with google_grpc, whose target is the name', async () => {
    const google = protobufBytes(2, Buffer.concat([protobufBytes(1, 'auth'), protobufBytes(4, 'stats')]));
    const ran = await run((s) => call(s, { upstream: google }));
    expect(ran.results(1)).toEqual([Status.Ok]);
    expect(opened(ran).request.authority).toBe('');
  });

  test.each<[string, Asked, RegExp]>([
    [
      'an unknown upstream',
      { upstream: 'nobody' },
      /no upstream is named "nobody"; this filter may call: auth/,
    ],
    [
      'an unknown one in a GrpcService',
      { upstream: protobufBytes(1, protobufBytes(1, 'nobody')) },
      /no upstream is named "nobody"/,
    ],
    ['no upstream', { upstream: '' }, /neither a name nor a GrpcService/],
    [
      'bytes that are no message',
      { upstream: Buffer.from([0x0a, 0xff, 0x01]) },
      /neither a name nor a GrpcService/,
    ],
    ['a service with a space', { service: 'pkg Auth' }, /make no path/],
    ['no method', { method: '' }, /make no path/],
    ['metadata that are no map', { metadata: Buffer.from([1, 2, 3]) }, /metadata are not valid/],
    ['a pseudo-header among them', { metadata: pairs([':path', '/x']) }, /metadata are not valid/],
    ['a line break in them', { metadata: pairs(['x', 'a\nb']) }, /metadata are not valid/],
  ])('%s is ParseFailure, and the log says why', async (_name, asked, why) => {
    for (const begin of [call, stream]) {
      const ran = await run((s) => begin(s, asked));
      expect(ran.results(1)).toEqual([Status.ParseFailure]);
      expect(ran.host.grpc.opened).toEqual([]);
      expect(ran.host.messages[0]).toMatch(why);
    }
  });

  test('what the transport does not take is InternalFailure', async () => {
    const host = new BareHost();
    host.grpc.refuses = true;
    expect((await run((s) => stream(call(s)), { host })).results(2)).toEqual([
      Status.InternalFailure,
      Status.InternalFailure,
    ]);
  });

  test('a stream has ten under way at most, of all kinds together', async () => {
    const ran = await run((s) => {
      for (let i = 0; i < 4; i++) call(stream(s));
      for (let i = 0; i < 3; i++) call(s);
      return s;
    });
    expect(ran.results(11)).toEqual([...Array<number>(10).fill(Status.Ok), Status.InternalFailure]);
    opened(ran).sink.onClose(GrpcStatus.Ok, '');
    expect(ran.context.outstanding).toBe(9);
  });

  test('ids are apart from those of HTTP calls', async () => {
    const ran = await run((s) =>
      call(s).call(
        'proxy_http_call',
        s.text('auth'),
        s.text(pairs([':method', 'GET'], [':path', '/'], [':authority', 'a'])),
        s.text(NONE),
        s.text(NONE),
        100,
        s.out(1),
      ),
    );
    expect([ran.word(0), ran.word(1)]).toEqual([1, 2]);
  });
});

describe('a unary call', () => {
  test('that succeeds is told as its message alone', async () => {
    const ran = await run((s) => call(s));
    const { sink } = opened(ran);
    sink.onInitialMetadata(head(':status', '200'));
    sink.onMessage(Buffer.from('answer'));
    expect(ran.host.messages).toEqual([]);
    sink.onTrailingMetadata(tail('grpc-status', '0'));
    sink.onClose(GrpcStatus.Ok, '');
    expect(ran.host.messages).toEqual(['message']);
    expect([ran.given(2), ran.word(4)]).toEqual(['answer', GrpcStatus.Ok]);
    expect(ran.context.outstanding).toBe(0);
  });

  test.each<[string, (call: OpenedGrpc) => void, number, string]>([
    ['fails', ({ sink }) => sink.onClose(GrpcStatus.Unavailable, 'no endpoint'), 14, 'no endpoint'],
    [
      'fails after its message',
      ({ sink }) => {
        sink.onMessage(Buffer.from('x'));
        sink.onClose(GrpcStatus.Aborted, 'changed its mind');
      },
      10,
      'changed its mind',
    ],
    ['has no message', ({ sink }) => sink.onClose(GrpcStatus.Ok, ''), 13, 'the upstream sent no message'],
    [
      'has two',
      ({ sink }) => {
        sink.onMessage(Buffer.from('x'));
        sink.onMessage(Buffer.from('y'));
      },
      13,
      'the upstream sent more than one message',
    ],
  ])('that %s is told as its end alone', async (_name, play, status, message) => {
    const ran = await run((s) => call(s));
    play(opened(ran));
    expect(ran.host.messages).toEqual(['close']);
    expect([ran.word(4), ran.given(5)]).toEqual([status, message]);
  });
});

describe('a stream', () => {
  test('is told everything, each readable within its callback only', async () => {
    const ran = await run((s) => stream(s));
    const { sink } = opened(ran);
    sink.onInitialMetadata(head(':status', '200', 'x-head', 'first'));
    expect(ran.given(2)).toBe('first');
    sink.onMessage(Buffer.from('one'));
    expect(ran.given(2)).toBe('one');
    sink.onMessage(Buffer.from(''));
    sink.onTrailingMetadata(tail('x-tail', 'last'));
    expect(ran.given(2)).toBe('last');
    sink.onClose(GrpcStatus.NotFound, 'gone');
    expect([ran.word(4), ran.given(5)]).toEqual([5, 'gone']);
    expect(ran.host.messages).toEqual(['initial', 'message', 'message', 'trailing', 'close']);
    const { grpc } = ran.context.root;
    expect([grpc.initialMetadata, grpc.message, grpc.trailingMetadata, grpc.size]).toEqual([
      null,
      null,
      null,
      0,
    ]);
  });

  test('sends until it is closed, which leaves its other side open', async () => {
    const ran = await run((s) =>
      stream(s)
        .call('proxy_grpc_send', 1, s.text('a'), 0)
        .call('proxy_grpc_send', 1, s.text(''), 0)
        .call('proxy_grpc_close', 1)
        .call('proxy_grpc_send', 1, s.text('b'), 0)
        .call('proxy_grpc_close', 1),
    );
    expect(ran.results(6)).toEqual([0, 0, 0, 0, Status.BadArgument, 0]);
    expect([opened(ran).sent, opened(ran).ended, opened(ran).cancelled]).toEqual([['a', ''], true, false]);
    opened(ran).sink.onMessage(Buffer.from('still'));
    expect(ran.host.messages.at(-1)).toBe('message');
  });

  test('ends its side with a message that says so', async () => {
    const ran = await run((s) => stream(s).call('proxy_grpc_send', 1, s.text('last'), 1));
    expect([opened(ran).sent, opened(ran).ended]).toEqual([['last'], true]);
  });

  test('is told where the upstream does not keep up', async () => {
    const host = new BareHost();
    host.grpc.full = true;
    const ran = await run((s) => stream(s).call('proxy_grpc_send', 1, s.text('a'), 0), { host });
    expect(ran.results(2)).toEqual([Status.Ok, Status.BadArgument]);
  });

  test('that is cancelled hears nothing more, and is not known any more', async () => {
    const ran = await run((s) =>
      stream(s)
        .call('proxy_grpc_cancel', 1)
        .call('proxy_grpc_cancel', 1)
        .call('proxy_grpc_send', 1, s.text('a'), 0)
        .call('proxy_grpc_close', 1),
    );
    expect(ran.results(5)).toEqual([0, 0, Status.NotFound, Status.NotFound, Status.NotFound]);
    expect([opened(ran).cancelled, ran.context.outstanding]).toEqual([true, 0]);
  });

  test('cannot be more than a hundred of one plugin', async () => {
    const ran = await run((s) => s, {
      scripts: {
        ...READS,
        proxy_on_request_body: (s) => {
          for (let i = 0; i < 10; i++) stream(s);
        },
      },
    });
    for (let i = 0; i < 11; i++) {
      const context = ran.plugin.createContext(ran.stream)!;
      context.onRequestBody(0, false);
    }
    expect(ran.host.grpc.opened).toHaveLength(100);
    opened(ran, 0).sink.onClose(GrpcStatus.Ok, '');
    ran.plugin.createContext(ran.stream)!.onRequestBody(0, false);
    expect(ran.host.grpc.opened).toHaveLength(101);
  });
});

test('a unary call cannot be sent to, and closing it gives it up, as in Envoy', async () => {
  const ran = await run((s) =>
    call(s).call('proxy_grpc_send', 1, s.text('a'), 0).call('proxy_grpc_close', 1),
  );
  expect(ran.results(3)).toEqual([Status.Ok, Status.BadArgument, Status.Ok]);
  expect(opened(ran).cancelled).toBe(true);
});

test('an id that nobody has is NotFound', async () => {
  const ran = await run((s) =>
    s
      .call('proxy_grpc_send', 9, s.text('a'), 0)
      .call('proxy_grpc_cancel', 9)
      .call('proxy_grpc_close', 0xffff_ffff),
  );
  expect(ran.results(3)).toEqual([Status.NotFound, Status.NotFound, Status.NotFound]);
});

test('a call is told when its stream is over, and not when its plugin is', async () => {
  const ran = await run((s) => stream(call(s)));
  ran.context.finish();
  opened(ran, 0).sink.onClose(GrpcStatus.Unavailable, '');
  expect(ran.host.messages).toEqual(['close']);
  await ran.plugin.retire();
  expect([opened(ran, 0).cancelled, opened(ran, 1).cancelled]).toEqual([false, true]);
  opened(ran, 1).sink.onClose(GrpcStatus.Unavailable, '');
  expect(ran.host.messages).toEqual(['close']);
});

test('calls of an instance that trapped are given up', async () => {
  const ran = await run((s) => stream(s), { scripts: { ...READS, proxy_on_request_body: (s) => s.trap() } });
  ran.context.onRequestBody(0, false);
  expect(opened(ran).cancelled).toBe(true);
  opened(ran).sink.onClose(GrpcStatus.Ok, '');
  expect(ran.host.messages).not.toContain('close');
});

test('a call may be given up from its own callback, and the next one begun there', async () => {
  const ran = await run((s) => stream(s), {
    scripts: {
      ...READS,
      proxy_on_grpc_receive: (s) => call(s.call('proxy_grpc_cancel', 1)),
    },
  });
  opened(ran).sink.onMessage(Buffer.from('x'));
  expect([opened(ran).cancelled, ran.host.grpc.opened.length, ran.context.root.grpc.size]).toEqual([
    true,
    2,
    1,
  ]);
  expect(ran.plugin.traps).toBe(0);
});

test("trailing metadata come under the name of AssemblyScript's first SDK too", async () => {
  const ran = await runScript((s) => stream(s), {
    functions: {},
    encode: (encoder) => {
      const log = encoder.function('iii', '', []);
      encoder.export('proxy_on_grpc_trailing_metadata', log);
    },
  });
  expect(ran.context.vm.callbacks.grpcTrailingMetadata).not.toBeNull();
});
