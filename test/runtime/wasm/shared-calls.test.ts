import { describe, expect, test } from 'vitest';
import { Status } from '../../../src/runtime/wasm/abi.ts';
import { LocalSharedState } from '../../../src/runtime/wasm/shared.ts';
import { guest, outWord, results } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

describe('shared data', () => {
  test('a value is found under its key with a version that is not 0; empty is not absent', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_get_shared_data', s.text('k'), s.out(0), s.out(1), s.out(2))
        .call('proxy_set_shared_data', s.text('k'), s.text(''), 0)
        .call('proxy_get_shared_data', s.text('k'), s.out(0), s.out(1), s.out(2))
        .call('proxy_set_shared_data', s.text('k'), s.text('v'), 0)
        .call('proxy_get_shared_data', s.text('k'), s.out(3), s.out(4), s.out(5)),
    );
    expect(run.results(5)).toEqual([Status.NotFound, 0, 0, 0, 0]);
    expect([run.word(0), run.word(1), run.word(2)]).toEqual([0, 0, 1]);
    expect(run.given(3)).toBe('v');
    expect(run.word(5)).toBe(2);
  });

  test('keys and names of more than 4 KiB name nothing', async () => {
    const run = await runScript((s) =>
      s
        .call('proxy_set_shared_data', 0x9000, 4096, s.text('v'), 0)
        .call('proxy_get_shared_data', 0x9000, 4096, s.out(0), s.out(1), s.out(2))
        .call('proxy_set_shared_data', 0x9000, 4097, s.text('v'), 0)
        .call('proxy_get_shared_data', 0x9000, 4097, s.out(3), s.out(4), s.out(5))
        .call('proxy_register_shared_queue', 0x9000, 4097, s.out(6))
        .call('proxy_resolve_shared_queue', s.text(''), 0x9000, 4097, s.out(7)),
    );
    expect(run.results(6)).toEqual([
      Status.Ok,
      Status.Ok,
      Status.BadArgument,
      Status.NotFound,
      Status.BadArgument,
      Status.NotFound,
    ]);
    expect(run.host.messages[0]).toBe('proxy_set_shared_data: a name may have 4096 bytes');
  });

  test('of two that read the same version one writes', () => {
    const store = new LocalSharedState();
    expect(store.set('vm', 'k', Buffer.from('0'), 99)).toBe(Status.Ok);
    const { cas } = store.get('vm', 'k')!;
    expect(store.set('vm', 'k', Buffer.from('1'), cas)).toBe(Status.Ok);
    expect(store.set('vm', 'k', Buffer.from('2'), cas)).toBe(Status.CasMismatch);
    expect(Buffer.from(store.get('vm', 'k')!.value).toString()).toBe('1');
    expect(store.set('vm', 'k', Buffer.from('3'), 0)).toBe(Status.Ok);
  });

  test('VM ids are namespaces', () => {
    const store = new LocalSharedState();
    store.set('a', 'k', Buffer.from('1'), 0);
    expect(store.get('b', 'k')).toBeUndefined();
  });

  test('a namespace holds 1024 keys and 1 MiB', () => {
    const store = new LocalSharedState();
    for (let i = 0; i < 1024; i++) expect(store.set('a', `${i}`, Buffer.from('x'), 0)).toBe(Status.Ok);
    expect(store.set('a', 'more', Buffer.from('x'), 0)).toBe(Status.InternalFailure);
    expect(store.set('a', '5', Buffer.alloc(1024 * 1024), 0)).toBe(Status.InternalFailure);
    expect(store.set('a', '5', Buffer.alloc(1000), 0)).toBe(Status.Ok);
    expect(store.set('b', 'k', Buffer.alloc(1024 * 1024 - 1), 0)).toBe(Status.Ok);
    expect(store.set('b', 'k', Buffer.alloc(1024 * 1024), 0)).toBe(Status.InternalFailure);
    expect(store.set('b', 'k', Buffer.alloc(1), 0)).toBe(Status.Ok);
    expect(store.set('b', 'l', Buffer.alloc(1024 * 1024 - 3), 0)).toBe(Status.Ok);
  });
});

describe('shared queues', () => {
  test('an item of one VM reaches the root context of another, when no guest is on the stack', async () => {
    const host = new BareHost();
    const receiver = await host.start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_register_shared_queue', s.text('jobs'), s.out(0)).return(1),
        proxy_on_queue_ready: (s) =>
          s
            .call('proxy_dequeue_shared_queue', 1, s.out(2), s.out(3))
            .call('proxy_log', 2, s.text('ready'))
            .call('proxy_dequeue_shared_queue', 1, s.out(4), s.out(5)),
      }),
      { vmId: 'receiver', name: 'receiver' },
    );
    const run = await runScript(
      (s) =>
        s
          .call('proxy_resolve_shared_queue', s.text('receiver'), s.text('jobs'), s.out(0))
          .call('proxy_resolve_shared_queue', s.text('nobody'), s.text('jobs'), s.out(1))
          .call('proxy_resolve_shared_queue', 0, 0, s.text('jobs'), s.out(1))
          .call('proxy_enqueue_shared_queue', 1, s.text('work'))
          .call('proxy_enqueue_shared_queue', 2, s.text('work')),
      { host, spec: { vmId: 'sender' } },
    );
    expect(run.results(5)).toEqual([0, 1, 1, 0, 1]);
    expect(host.messages).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.messages).toEqual(['ready']);
    const context = receiver.createContext(new BareStream())!;
    expect(results(context.vm, 4)).toEqual([0, Status.Ok, Status.Ok, Status.Empty]);
    const at = outWord(context.vm, 2);
    expect(Buffer.from(context.vm.view().subarray(at, at + 4)).toString()).toBe('work');
  });

  test('of another tenant is not found, by its VM id and name nor by its number', async () => {
    const host = new BareHost();
    const id = host.shared.register('test\0receiver', 'jobs');
    host.shared.enqueue('test\0', id, Buffer.from('secret'));
    const run = await runScript(
      (s) =>
        s
          .call('proxy_resolve_shared_queue', s.text('receiver'), s.text('jobs'), s.out(0))
          .call('proxy_enqueue_shared_queue', id, s.text('x'))
          .call('proxy_dequeue_shared_queue', id, s.out(0), s.out(1))
          .call('proxy_resolve_shared_queue', s.text('test\0receiver'), s.text('jobs'), s.out(0)),
      { host, spec: { tenant: 'other' } },
    );
    expect(run.results(4)).toEqual([1, 1, 1, 1]);
    const own = await runScript((s) => s.call('proxy_dequeue_shared_queue', id, s.out(0), s.out(1)), {
      host,
    });
    expect([own.results(1), own.given(0)]).toEqual([[0], 'secret']);
  });

  test('tells the instance that takes the place of one that is gone of what waits', async () => {
    const host = new BareHost();
    const receiver = await host.start(
      guest({
        proxy_on_configure: (s) => s.call('proxy_register_shared_queue', s.text('jobs'), s.out(0)).return(1),
        proxy_on_queue_ready: (s) =>
          s.call('proxy_dequeue_shared_queue', 1, s.out(2), s.out(3)).call('proxy_log', 2, s.text('ready')),
        proxy_on_request_headers: (s) => s.trap(),
      }),
      { vmId: 'receiver' },
    );
    const context = receiver.createContext(new BareStream())!;
    context.onRequestHeaders(1, true);
    context.finish();
    expect(receiver.instances).toBe(0);
    for (const item of ['1', '2']) host.shared.enqueue('test\0', 1, Buffer.from(item));
    await expect.poll(() => host.messages.filter((line) => line === 'ready')).toHaveLength(2);
    expect(host.shared.dequeue('test\0', 1)).toBe(Status.Empty);
  });

  test('a queue is bounded', async () => {
    const host = new BareHost();
    const id = host.shared.register('test\0vm', 'q');
    for (let i = 0; i < 1024; i++)
      expect(host.shared.enqueue('test\0', id, new Uint8Array(1))).toBe(Status.Ok);
    const run = await runScript((s) => s.call('proxy_enqueue_shared_queue', id, s.text('x')), { host });
    expect(run.results(1)).toEqual([Status.InternalFailure]);
  });
});
