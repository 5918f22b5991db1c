// What docs/authoring/callbacks.md says in its tables, row by row, in the real host.
import { beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import type { Exchange, ExchangeSpec, Filter, FilterOptions } from '../../filters-sdk/testing/testing.d.ts';
import {
  accessOf,
  accessRows,
  callbackRows,
  MODES,
  PARTS,
  probed,
  type Mode,
} from '../support/callback-tables.ts';
import { pluginBytes } from '../support/plugin.ts';

let module: Buffer;
beforeAll(() => {
  module = pluginBytes('callback-probe');
}, 120_000);

const MESSAGE: ExchangeSpec = {
  request: { method: 'POST', headers: { 'x-marker': '1' }, body: ['abc', 'def'], trailers: { 'x-t': '1' } },
  response: { headers: { 'x-marker': '1' }, body: ['12', '34'], trailers: { 'x-t': '1' } },
};

function open(config: string, options: FilterOptions = {}): Promise<Filter> {
  return openFilter(module, {
    config,
    upstreams: { authz: () => ({ status: 200, body: 'yes' }) },
    ...options,
  });
}

const lines = ({ logs }: Pick<Filter, 'logs'>): string[] => logs.map(({ message }) => message);

async function exchange(config: string, options: FilterOptions = {}, spec = MESSAGE): Promise<Exchange> {
  return (await open(config, options)).exchange(spec);
}

describe.each(Object.keys(MODES) as Mode[])('a filter that is %s can read and write', (mode) => {
  test.each(accessRows())('$name: what its row says', async ({ name, cells }) => {
    const { logs } = await exchange(MODES[mode], { bodyWhileHeld: mode === 'holding' });
    const callback = name.replaceAll('`', '');
    const said = Object.fromEntries(PARTS.map((part) => [part, accessOf(cells[part]!, 'weir', mode)]));
    expect(probed(lines({ logs }), callback)).toEqual(said);
  });
});

/** Rows of the other tables, by section and first cell: what they say, and the check of it. */
const ROWS: Readonly<Record<string, () => Promise<void>>> = {
  'Of the root context: `onStart(configuration)`': async () => {
    expect(lines(await open('', { vmConfig: 'given' })).slice(0, 2)).toEqual([
      'onStart given',
      'onConfigure queue true',
    ]);
    await expect(open('', { vmConfig: 'refused' })).rejects.toThrow();
  },
  'Of the root context: `onConfigure(configuration)`': async () => {
    await expect(open('onConfigure=false')).rejects.toThrow();
    expect(lines(await open('')).filter((line) => line.startsWith('onConfigure'))).toHaveLength(1);
  },
  'Of the root context: `createStream()`': async () => {
    const { logs } = await exchange('');
    expect(lines({ logs }).findIndex((line) => line === 'createStream')).toBeLessThan(
      lines({ logs }).findIndex((line) => line.startsWith('onRequestHeaders')),
    );
  },
  'Of the root context: `onTick()`': async () => {
    const filter = await open('onTick=call');
    await filter.clock.advance(3000);
    // No stream; shared data and calls.
    expect(lines(filter).filter((line) => line.startsWith('onTick'))).toEqual(Array(3).fill('onTick - true'));
    expect(filter.calls).toHaveLength(3);
  },
  'Of the root context: `onQueueReady(queue)`': async () => {
    const filter = await open('');
    filter.shared.enqueue('jobs', 'one');
    filter.shared.enqueue('jobs', 'two');
    await filter.exchange();
    const told = lines(filter).filter((line) => line.startsWith('onQueueReady'));
    expect(told).toEqual(['onQueueReady one', 'onQueueReady two']);
  },
  'Of the root context: `onCallResponse(response)`, `onGrpc…`': async () => {
    const called = await open('onTick=call');
    await called.tick();
    expect(lines(called)).toContain('root onCallResponse 200');
    const grpc = await open('onTick=grpc', { upstreams: ['grpc'] });
    grpc.onGrpc('grpc', () => ({ messages: ['hello'] }));
    await grpc.tick();
    expect(lines(grpc)).toContain('root onGrpcMessage hello');
  },
  'Of the root context: `onDone()`': async () => {
    const filter = await open('onDone=false');
    await filter.close();
    expect(lines(filter).slice(-3)).toEqual(['root onDone', 'root onCallResponse 200', 'root onDelete']);
  },
  'Of the root context: `onDelete()`': async () => {
    const filter = await open('');
    await filter.close();
    expect(lines(filter).slice(-2)).toEqual(['root onDone', 'root onDelete']);
  },

  'Of requests and answers: `onRequestHeaders` `onResponseHeaders`': async () => {
    const passed = lines(await exchange(''));
    expect(passed).toContain('head true false');
    const alone = await exchange('', {}, {});
    expect(lines(alone)).toContain('head true true');
    const held = await exchange('onRequestHeaders=Pause');
    expect([held.state, held.upstream]).toEqual(['waiting', null]);
    expect(lines(held).some((line) => line.startsWith('request body'))).toBe(false);
    const answer = await exchange('onResponseHeaders=Pause');
    expect(answer.state).toBe('waiting');
    expect(lines(answer).some((line) => line.startsWith('answer body'))).toBe(false);
    const asked = await exchange('onRequestHeaders=call onResponseHeaders=call');
    expect([asked.answer.status, asked.answer.body, asked.upstream!.body]).toEqual([200, '1234x', 'abcdefx']);
  },
  'Of requests and answers: `onRequestBody` `onResponseBody`': async () => {
    const sizes = (one: Exchange, side: string): string[] =>
      lines(one).filter((line) => line.startsWith(`${side} body`));
    const passed = await exchange('');
    expect(sizes(passed, 'request')).toEqual(['request body 3 false', 'request body 3 false']);
    // Kept, and shown again with what comes: the probe has added a byte.
    for (const wait of ['Pause', 'PauseAndWatermark']) {
      const kept = await exchange(`onRequestBody=${wait} onResponseBody=${wait}`);
      expect(sizes(kept, 'request')).toEqual(['request body 3 false', 'request body 7 false']);
      expect(sizes(kept, 'answer')).toEqual(['answer body 2 false', 'answer body 5 false']);
      expect(kept.upstream!.body).toBe('abcxdefxx');
    }
    const dropped = await exchange('onRequestBody=PauseAndDrop');
    expect(sizes(dropped, 'request')).toEqual(['request body 3 false', 'request body 3 false']);
    // The probe's own byte with the trailers.
    expect(dropped.upstream!.body).toBe('x');
    const ends = await exchange('', {}, { request: { method: 'POST', body: ['a', 'b'] } });
    expect(sizes(ends, 'request').at(-1)).toMatch(/ true$/);
  },
  'Of requests and answers: `onRequestTrailers` `onResponseTrailers`': async () => {
    const held = await exchange('onRequestBody=Pause onRequestTrailers=Pause');
    expect([held.state, held.upstream]).toEqual(['waiting', null]);
    const gone = await exchange('onRequestBody=Pause onRequestTrailers=call onResponseBody=Pause');
    expect([gone.upstream!.body, gone.upstream!.trailers]).toEqual(['abcxdefxx', { 'x-t': '1' }]);
    expect(gone.answer.trailers).toEqual({ 'x-t': '1' });
  },
  'Of requests and answers: `onDone`': async () => {
    const last = lines(await exchange('')).filter((line) => /^on(Done|Log|Delete) /.test(line));
    expect(last.map((line) => line.split(' ')[0])).toEqual(['onDone', 'onLog', 'onDelete']);
  },
  'Of requests and answers: `onLog`': async () => {
    expect(probed(lines(await exchange('')), 'onLog')).toMatchObject({
      'request head': 'r',
      'answer head': 'r',
    });
  },
  'Of requests and answers: `onDelete`': async () => {
    expect(lines(await exchange('')).at(-1)).toMatch(/^onDelete /);
  },

  'Answers to calls: `onCallResponse(response)`': async () => {
    const answered = await exchange('onRequestHeaders=call');
    expect(lines(answered)).toContain('onCallResponse 200 yes 0 true');
    expect(answered.upstream!.headers['x-asked']).toBe('1');
    for (const [fail, status] of [
      ['timeout', 504],
      ['unavailable', 503],
    ] as const) {
      const failed = await exchange('onRequestHeaders=call', { upstreams: { authz: () => ({ fail }) } });
      expect(lines(failed)).toContain(`onCallResponse ${status}  0 true`);
    }
    const reset = await exchange('onRequestHeaders=call', {
      upstreams: { authz: () => ({ fail: 'reset' }) },
    });
    expect(lines(reset).some((line) => line.startsWith('failed '))).toBe(true);
  },
  'Answers to calls: `onGrpcMessage(message)`': async () => {
    const filter = await open('onRequestHeaders=grpc', { upstreams: ['grpc'] });
    filter.onGrpc('grpc', () => ({ messages: ['hello'] }));
    const told = lines(await filter.exchange(MESSAGE)).filter((line) => line.startsWith('onGrpc'));
    expect(told).toEqual(['onGrpcMessage hello']);
  },
  'Answers to calls: `onGrpcHead`, `onGrpcTrailers`': async () => {
    const filter = await open('onRequestHeaders=grpc-stream', { upstreams: ['grpc'] });
    filter.onGrpc('grpc', () => ({
      initialMetadata: { 'x-head': '1' },
      messages: ['one'],
      trailers: { 'x-end': '1' },
    }));
    expect(lines(await filter.exchange(MESSAGE)).filter((line) => line.startsWith('onGrpc'))).toEqual([
      'onGrpcHead true',
      'onGrpcMessage one',
      'onGrpcTrailers true',
      'onGrpcEnd 0 ',
    ]);
  },
  'Answers to calls: `onGrpcEnd(end)`': async () => {
    const filter = await open('onRequestHeaders=grpc-fail', { upstreams: ['grpc'] });
    filter.onGrpc('grpc', () => ({ status: 7, message: 'no' }));
    const told = lines(await filter.exchange(MESSAGE)).filter((line) => line.startsWith('onGrpc'));
    expect(told).toEqual(['onGrpcEnd 7 no']);
  },
  'Answers to calls: `onLimitDecision(decision)`': async () => {
    const filter = await open('onRequestHeaders=limit');
    filter.onLimit(() =>
      Promise.resolve({ allowed: true, remaining: 0, limit: 1, resetMs: 0, retryAfterMs: 0 }),
    );
    const { logs, answer } = await filter.exchange(MESSAGE);
    expect(lines({ logs })).toEqual(expect.arrayContaining(['pending true', 'onLimitDecision true']));
    expect(answer.status).toBe(200);
  },

  'Of TCP connections: `onNewConnection()`': async () => {
    const open1 = (await open('')).tcp();
    expect(open1.state).toBe('open');
    const waiting = await open('onNewConnection=Pause');
    expect(waiting.tcp().state).toBe('waiting');
  },
  'Of TCP connections: `onDownstreamData(size, end)`': async () => {
    const passed = (await open('')).tcp();
    passed.fromClient('hello');
    expect(Buffer.from(passed.toUpstream).toString()).toBe('hello');
    const kept = (await open('onDownstreamData=Pause')).tcp();
    kept.fromClient('one');
    kept.fromClient('two');
    expect(lines(kept).filter((line) => line.startsWith('onDownstreamData'))).toEqual([
      'onDownstreamData one',
      'onDownstreamData onetwo',
    ]);
    expect(kept.toUpstream).toHaveLength(0);
    const resumed = (await open('onDownstreamData=resumed')).tcp();
    resumed.fromClient('one');
    expect(Buffer.from(resumed.toUpstream).toString()).toBe('one');
  },
  'Of TCP connections: `onUpstreamData(size, end)`': async () => {
    const kept = (await open('onUpstreamData=Pause')).tcp();
    kept.fromUpstream('one');
    expect(kept.toClient).toHaveLength(0);
    const resumed = (await open('onUpstreamData=resumed')).tcp();
    resumed.fromUpstream('one');
    expect(Buffer.from(resumed.toClient).toString()).toBe('one');
  },
  'Of TCP connections: `onUpstreamClose(by)`, `onDownstreamClose(by)`': async () => {
    for (const [by, line] of [
      ['client', 'onDownstreamClose 2'],
      ['upstream', 'onUpstreamClose 2'],
    ] as const) {
      const tcp = (await open('')).tcp();
      tcp.close(by);
      expect(lines(tcp)).toContain(line);
    }
  },
};

const others = callbackRows().filter(({ cells }) => !('request head' in cells));

test.each(others.map(({ section, name }) => `${section}: ${name}`))('%s', async (row) => {
  const check = ROWS[row];
  if (check === undefined) throw new Error('no check of this row: add one');
  await check();
});

test('there is no check of a row that the document does not have', () => {
  const rows = others.map(({ section, name }) => `${section}: ${name}`);
  expect(Object.keys(ROWS).filter((row) => !rows.includes(row))).toEqual([]);
});

test('what no row says is refused: a reply ends the request, an exception its instance', async () => {
  const replied = await exchange('onRequestHeaders=reply');
  expect([replied.answer.status, replied.upstream]).toEqual([403, null]);
  const trapped = await exchange('onRequestHeaders=throw');
  expect(trapped.answer.from).toBe('weir');
  const resumed = await exchange('onRequestHeaders=resumed');
  expect(resumed.answer.status).toBe(200);
});
