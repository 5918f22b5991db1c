import { beforeAll, describe, expect, test } from 'vitest';
import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { pluginBytes } from '../support/plugin.ts';
import { BareHost, type SentCallout } from '../support/bare-host.ts';
import { BareStream, type Fields } from '../support/bare-stream.ts';

// Compiling takes a while where others do as well.
beforeAll(() => void pluginBytes('sdk-wait'), 120_000);

async function start(spec: Partial<PluginSpec> = {}) {
  const host = new BareHost();
  const plugin = await host.start(pluginBytes('sdk-wait'), spec);
  const request = (path: string, fields: Fields = [], endOfStream = true) => {
    const stream = new BareStream();
    const head = stream.request([[':path', path], ...fields]);
    const context = plugin.createContext(stream)!;
    return { head, stream, context, action: context.onRequestHeaders(head.count, endOfStream) };
  };
  /** The calls that nobody has answered yet, by their path. */
  const open: SentCallout[] = [];
  let known = 0;
  const sent = (): string[] => {
    if (host.callouts.sent.length < known) known = 0;
    open.push(...host.callouts.sent.slice(known));
    known = host.callouts.sent.length;
    return open.map(pathOf);
  };
  const take = (path: string): SentCallout => {
    sent();
    const index = open.findIndex((callout) => pathOf(callout) === path);
    if (index < 0) throw new Error(`no call of ${path} is under way, but of ${sent().join(' ')}`);
    return open.splice(index, 1)[0]!;
  };
  const answer = (path: string, body = '', fields: Fields = [[':status', '200']], trailers: Fields = []) => {
    const { sink, token } = take(path);
    sink.onResponse(
      token,
      block(fields),
      Buffer.from(body),
      trailers.length === 0 ? null : block(trailers, MessageKind.Trailers),
    );
  };
  const fail = (path: string) => {
    const { sink, token } = take(path);
    sink.onFailure(token, 'reset');
  };
  return { host, plugin, request, sent, answer, fail };
}

const LARGE = ['x-large', 'l'.repeat(5_000)] as const;

function pathOf({ head }: SentCallout): string {
  return head.find(([name]) => name === ':path')![1];
}

function block(fields: Fields, kind: MessageKind = MessageKind.Response): HeaderBlock {
  const made = new HeaderBlock();
  made.reset(kind);
  for (const [name, value] of fields) {
    const index = made.indexOf(Buffer.from(name));
    if (index >= 0) made.setValueText(index, value);
    else made.appendText(name, value);
  }
  return made;
}

describe('a callback that waits', () => {
  test('goes on where it was, with what it had, in functions below it too', async () => {
    const { request, sent, answer } = await start();
    const { head, stream, action } = request('/sequence');
    expect(action).toBe(1);
    expect(sent()).toEqual(['/one']);
    answer('/one', 'eins');
    expect(stream.resumed).toEqual([]);
    expect(sent()).toEqual(['/two-eins']);
    answer('/two-eins', 'zwei');
    expect(head.get('x-answer')).toBe(`eins zwei ${head.count - 1} /sequence`);
    expect(stream.resumed).toEqual([0]);
  });

  test('waits in a loop, with continue and break', async () => {
    const { request, answer } = await start();
    const { head, stream } = request('/loop/9');
    for (const [i, text] of ['a', 'skip', 'b', 'stop'].entries()) answer(`/${i}`, text);
    expect(head.get('x-seen')).toBe('a,b 2');
    expect(stream.resumed).toEqual([0]);
  });

  test('that does not wait in the end is as fast as any', async () => {
    const { request } = await start();
    const { action, head, stream } = request('/loop/0');
    expect([action, head.get('x-seen'), stream.resumed]).toEqual([0, '0', []]);
  });

  test('sees that a call failed as a value', async () => {
    const { request, fail } = await start();
    const { head } = request('/loop/1');
    fail('/0');
    expect(head.get('x-seen')).toBe('failed reset 0');
  });

  test('goes on at once where a call cannot be made', async () => {
    const { request } = await start();
    const { head, action } = request('/unknown');
    expect([action, head.get('x-failed')]).toEqual([0, 'true0']);
  });

  test('answers in the middle, and is not gone on with', async () => {
    const { request, answer } = await start();
    const { stream } = request('/reply');
    answer('/may-i', '', [
      [':status', '402'],
      ['x-why', 'money'],
    ]);
    expect(stream.replies).toMatchObject([{ status: 402 }]);
    expect(Buffer.from(stream.replies[0]!.body).toString()).toBe('no: money');
    expect(stream.resumed).toEqual([]);
  });

  test('answers after several calls, and reads trailers', async () => {
    const { request, answer } = await start();
    const { stream, head } = request('/reply');
    answer('/may-i', '', [[':status', '200']], [['x-end', 'fin']]);
    expect(head.get('x-trailer')).toBe('fin');
    answer('/second');
    expect(stream.replies).toMatchObject([{ status: 403 }]);
    expect(stream.resumed).toEqual([]);
  });

  test('waits for several calls at once, whatever their order', async () => {
    const { request, sent, answer } = await start();
    const { head, stream } = request('/all');
    expect(sent()).toEqual(['/0', '/1', '/2']);
    answer('/2', 'c');
    answer('/0', 'a');
    expect(stream.resumed).toEqual([]);
    answer('/1', 'b');
    expect(head.get('x-all')).toBe('a;b;c;');
    expect(stream.resumed).toEqual([0]);
  });

  test('keeps streams apart that wait at the same time', async () => {
    const { request, sent, answer } = await start();
    const first = request('/loop/3');
    const second = request('/all');
    const third = request('/loop/2');
    answer('/0', 'x');
    expect(sent()).toEqual(['/0', '/1', '/2', '/0', '/1']);
    answer('/0', 'A');
    answer('/1', 'B');
    answer('/2', 'C');
    answer('/0', 'z');
    expect(second.head.get('x-all')).toBe('A;B;C;');
    answer('/1', 'y');
    answer('/1', 'w');
    answer('/2', 'v');
    expect(first.head.get('x-seen')).toBe('x,y,v 3');
    expect(third.head.get('x-seen')).toBe('z,w 1');
  });

  test('is given up when its stream ends; the answer that comes then does nothing', async () => {
    const { host, request, answer } = await start();
    const gone = request('/sequence');
    gone.context.finish();
    answer('/one', 'late');
    expect(host.callouts.sent).toHaveLength(1);
    expect(gone.stream.resumed).toEqual([]);
    const next = request('/sequence');
    answer('/one', '1');
    answer('/two-1', '2');
    expect(next.head.get('x-answer')).toContain('1 2');
    expect(host.messages).toEqual(['log /sequence']);
  });

  test('keeps views of the host’s values, and large ones', async () => {
    const { request, answer } = await start();
    const { head } = request('/views', [
      ['x-value', 'abcdef'],
      ['x-large', 'l'.repeat(20_000)],
    ]);
    const other = request('/views', [
      ['x-value', '123456'],
      ['x-large', 'm'.repeat(10)],
    ]);
    answer('/1', 'x'.repeat(9000));
    answer('/1');
    answer('/2', 'x'.repeat(9000));
    answer('/2');
    expect(head.get('x-views')).toBe('/views bcd true');
    expect(other.head.get('x-views')).toBe('/views 234 true');
  });

  test('keeps objects that nothing but its locals hold', async () => {
    const { request, answer } = await start();
    const streams = Array.from({ length: 20 }, () => request('/garbage'));
    for (let i = 0; i < 10; i++) for (let k = 0; k < 20; k++) answer(`/${i}`, `:${i}`);
    const expected = Array.from({ length: 10 }, (_, i) => `node ${9 - i}:${9 - i},`).join('');
    expect(streams.map(({ head }) => head.get('x-list'))).toEqual(streams.map(() => expected));
  });

  test('leaves nothing behind, whether it goes on or its stream ends', async () => {
    const { plugin, host, request, answer } = await start();
    let size = 0;
    for (let i = 0; i < 3000; i++) {
      const ended = request('/views', [['x-value', 'abcdef'], LARGE]);
      ended.context.finish();
      answer('/1');
      const finished = request('/views', [['x-value', 'abcdef'], LARGE]);
      answer('/1');
      answer('/2');
      finished.context.finish();
      host.callouts.sent.length = 0;
      if (i === 1500) size = plugin.heapBytes;
    }
    expect(plugin.heapBytes).toBe(size);
  });

  test('names its line where it traps after a wait', async () => {
    const { host, request, answer } = await start();
    request('/trap');
    answer('/before-trap');
    expect(host.messages.join('\n')).toMatch(/abort: after a wait at test\/plugins\/sdk-wait\.ts:\d+:\d+/);
  });
});

describe('what else a callback waits for', () => {
  test('a call that an earlier callback made, there or not', async () => {
    const { request, answer } = await start();
    const late = request('/early');
    expect(late.action).toBe(0);
    const head = late.stream.response();
    expect(late.context.onResponseHeaders(head.count, true)).toBe(1);
    answer('/early', 'now');
    expect([head.get('x-early'), late.stream.resumed]).toEqual(['now', [1]]);

    const there = request('/early');
    answer('/early', 'before');
    const second = there.stream.response();
    expect(there.context.onResponseHeaders(second.count, true)).toBe(0);
    expect(second.get('x-early')).toBe('before');
  });

  test('a limit, answered at once or later', async () => {
    const { host, request } = await start();
    expect(request('/limit').head.get('x-limit')).toBe('true 9');
    host.ledger.decision = null;
    const { head, action, stream } = request('/limit');
    expect(action).toBe(1);
    host.ledger.taken.at(-1)!.done({ allowed: true, remaining: 4, limit: 5, resetMs: 0, retryAfterMs: 0 });
    expect([head.get('x-limit'), stream.resumed]).toEqual(['true 4', [0]]);
    const denied = request('/limit');
    host.ledger.taken.at(-1)!.done({ allowed: false, remaining: 0, limit: 5, resetMs: 0, retryAfterMs: 9 });
    expect(denied.stream.replies).toMatchObject([{ status: 429 }]);
  });

  test('a gRPC call, and how it failed', async () => {
    const { host, request } = await start();
    const { head } = request('/grpc');
    const { sink } = host.grpc.opened[0]!;
    sink.onMessage(Buffer.from('hello yourself'));
    sink.onClose(0, '');
    expect(head.get('x-grpc')).toBe('hello yourself');
    const second = request('/grpc');
    host.grpc.opened[1]!.sink.onClose(7, 'not you');
    expect(second.head.get('x-grpc')).toBe('7 not you');
  });

  test('time, on ticks that no onTick asked for', async () => {
    const { host, request } = await start();
    const { head, stream } = request('/sleep');
    const before = host.now;
    await expect
      .poll(() => {
        host.now += 5;
        return stream.resumed;
      }, POLL)
      .toEqual([0]);
    expect(host.now - before).toBeGreaterThanOrEqual(50);
    expect(head.get('x-slept')).toBe('twice');
    expect(host.messages).toEqual([]);
  });

  test('thousands that sleep as long are woken one after another, within the budget of a callback', async () => {
    const { host, plugin, request } = await start();
    const asleep = Array.from({ length: 3000 }, () => request('/sleep'));
    await expect
      .poll(() => {
        host.now += 5;
        return asleep.filter(({ head }) => head.get('x-slept') === 'twice').length;
      }, POLL)
      .toBe(asleep.length);
    expect([plugin.traps, host.messages]).toEqual([0, []]);
  });

  test('whichever of several comes first', async () => {
    const { host, request, answer } = await start();
    const called = request('/any');
    answer('/slow', 'fast');
    expect(called.head.get('x-first')).toBe('call');
    const slept = request('/any');
    await expect
      .poll(() => {
        host.now += 10;
        return slept.head.get('x-first');
      }, POLL)
      .toBe('sleep');
    answer('/slow');
    expect(slept.stream.resumed).toEqual([0]);
  });
});

const POLL = { timeout: 10_000, interval: 5 };

describe('callbacks that come meanwhile', () => {
  test('parts of a body and trailers follow when the part before is done', async () => {
    const { host, request, sent, answer } = await start();
    const { stream, context } = request('/body', [], false);
    stream.setBody(0, 'one');
    expect(context.onRequestBody(3, false)).toBe(1);
    stream.setBody(0, 'onetwo');
    expect(context.onRequestBody(6, true)).toBe(1);
    expect(sent()).toEqual(['/scan-one']);
    const trailers = stream.requestTrailers([['a', 'b']]);
    expect(context.onRequestTrailers(1)).toBe(1);
    answer('/scan-one', '1');
    expect(stream.resumed).toEqual([]);
    expect(sent()).toEqual(['/scan-onetwo+1']);
    answer('/scan-onetwo+1', '2');
    expect(stream.resumed).toEqual([]);
    answer('/trailers', '3');
    expect(stream.resumed).toEqual([0]);
    expect(trailers.get('x-asked')).toBe('3');
    expect(stream.bodyText(0)).toBe('onetwo+1+2');
    expect(host.messages).toEqual(['body 3 false onetwo', 'body 8 true onetwo+1', 'trailers 1']);
  });

  test('an answer’s callback waits beside one of its request', async () => {
    const { request, answer } = await start();
    const { stream, context } = request('/both', [], false);
    const trailers = stream.requestTrailers([]);
    expect(context.onRequestTrailers(0)).toBe(1);
    const head = stream.response();
    expect(context.onResponseHeaders(head.count, true)).toBe(1);
    answer('/response', 'r');
    expect([head.get('x-both'), stream.resumed]).toEqual(['r', [1]]);
    answer('/trailers', 't');
    expect([trailers.get('x-asked'), stream.resumed]).toEqual(['t', [1, 0]]);
  });

  test('a tick that finds the one before waiting is left out', async () => {
    const { host, answer, sent } = await start({ configuration: 'tick' });
    await expect.poll(sent, POLL).toEqual(['/from-tick']);
    expect(host.messages).toEqual(['tick 1']);
    answer('/from-tick');
    await expect.poll(() => host.messages.slice(0, 3), POLL).toEqual(['tick 1', 'tick 2 got 200', 'tick 3']);
  });
});
