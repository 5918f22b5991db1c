import { describe, expect, test } from 'vitest';
import { RequestLog, type RequestView } from '../../../src/cli/dev/request-view.ts';
import type { CallbackRecord } from '../../../src/runtime/wasm/tap/record.ts';

const HEAD = [
  [':method', 'GET'],
  [':path', '/hello'],
  ['x-key', 'secret'],
] as const;

function callback(fields: Partial<CallbackRecord>): CallbackRecord {
  return {
    type: 'callback',
    instance: '1-1-1',
    seq: 1,
    plugin: 'demo/chain#key',
    callback: 'proxy_on_request_headers',
    context: 2,
    stream: 'id-1',
    args: [3, 1],
    at: 0,
    micros: 40,
    fuel: 900,
    calls: [],
    result: 0,
    ...fields,
  };
}

function viewOf(...records: CallbackRecord[]): RequestView {
  const log = new RequestLog();
  return records.map((record) => log.add(record)).at(-1)!;
}

describe('what filters did with a request', () => {
  test('is the difference that each of them made to the fields it saw', () => {
    const view = viewOf(
      callback({
        state: { has: '0', writable: '0', maps: { '0': HEAD } },
        after: { '2': { maps: { '0': [...HEAD.slice(0, 2), ['x-user', 'visitor'] as const] } } },
      }),
      callback({
        callback: 'proxy_on_response_headers',
        state: { has: '02', writable: '2', maps: { '2': [[':status', '200']] } },
        after: { '2': { maps: { '2': [[':status', '404']] } } },
        micros: 1500,
      }),
    );
    expect(view.line).toBe('GET /hello 404  key ±4 1.5 ms');
    expect(view.filters).toEqual([
      {
        name: 'key',
        fuel: 1800,
        steps: [
          {
            text: 'onRequestHeaders → continue  40 µs, 900 fuel',
            notes: ['- x-key: secret', '+ x-user: visitor'],
          },
          {
            text: 'onResponseHeaders → continue  1.5 ms, 900 fuel',
            notes: ['- :status: 200', '+ :status: 404'],
          },
        ],
      },
    ]);
  });

  test('says that a filter answered, paused, called out, logged or trapped', () => {
    const call = (name: string, given: (string | number)[], status = 0) => ({
      call: name,
      in: given,
      status,
    });
    const answered = viewOf(
      callback({ result: 1, calls: [call('proxy_send_local_response', [401, '', 'no key', '', -1])] }),
    );
    expect(answered.line).toContain('401  key answered 401');
    expect(answered.filters[0]!.steps[0]!.notes).toEqual(['answered 401: no key']);

    const called = viewOf(
      callback({
        result: 1,
        calls: [
          call('proxy_log', [2, 'asking\u001b[31m']),
          call('proxy_http_call', ['auth', '', '', '', 100]),
        ],
      }),
    );
    expect(called.line).toContain('key paused');
    expect(called.filters[0]!.steps[0]).toEqual({
      text: 'onRequestHeaders → pause  40 µs, 900 fuel',
      notes: ['info: asking [31m', 'called auth'],
    });

    const trapped = viewOf(callback({ result: null, trap: 'unreachable at index.ts:4' }));
    expect(trapped.line).toContain('key trap');
    expect(trapped.filters[0]!.steps[0]!.notes).toEqual(['unreachable at index.ts:4']);
  });

  test('keeps requests apart, and is silent about what is of none', () => {
    const log = new RequestLog();
    expect(log.add(callback({}))?.id).toBe('id-1');
    expect(log.add(callback({ stream: 'id-2' }))?.filters[0]!.steps).toHaveLength(1);
    expect(log.add({ type: 'end', instance: '1-1-1', reason: 'done' })).toBeNull();
    expect(log.add(callback({ plugin: 'dev/overlay' }))).toBeNull();
  });
});
