import { describe, expect, test } from 'vitest';
import { answered, cut, ofAnswers, seen } from './open.ts';

const HIDE = { redact: [{ at: ['/**/p'], replace: '***' }] };
const LINES = { 'content-type': 'application/x-ndjson' };
const EVENTS = { 'content-type': 'text/event-stream' };
const WHEN = { contentTypes: ['text/event-stream'] };

describe('lines of JSON', () => {
  test.each([
    ['{"p":1}\n{"a":{"p":2}}\r\n\n [1] \n{"p":3}', '{"p":"***"}\n{"a":{"p":"***"}}\r\n\n [1] \n{"p":"***"}'],
    ['{"p":1}\n', '{"p":"***"}\n'],
    ['\n', '\n'],
  ])('%j are redacted one by one', async (text, expected) => {
    expect(await seen(await ofAnswers(HIDE), text, LINES)).toBe(expected);
  });

  test('go on when they are complete, and are not gathered', async () => {
    const filter = await ofAnswers(HIDE);
    const stream = filter.stream();
    stream.requestHeaders({});
    stream.responseHeaders({ headers: LINES }, false);
    const body = `${JSON.stringify({ p: 'secret', x: 'y'.repeat(1000) })}\n`;
    for (let i = 0; i < 2000; i++) stream.responseBody(body);
    stream.responseBody('{"p":1}', true);
    expect(stream.answer.body).toHaveLength(2000 * (body.length - 3) + 11);
    expect(stream.pauses).toEqual([]);
    expect(filter.traps).toBe(0);
  });

  test.each([
    ['a line', LINES, '', '\n'],
    ['an event', EVENTS, 'id: 1\r\ndata: ', '\r\n\r\n'],
  ])('and %s of many pieces costs no more than one of few', async (_what, headers, before, after) => {
    const filter = await ofAnswers(HIDE, headers === EVENTS ? WHEN : {});
    const document = JSON.stringify({ p: 1, x: 'y'.repeat(200_000) });
    const fuelOf = async (size: number): Promise<number> => {
      const exchange = await answered(filter, cut(before + document + after, [size]), headers);
      expect(exchange.answer.body).toHaveLength(before.length + document.length + after.length + 4);
      return exchange.callbacks.reduce((sum, { fuel }) => sum + fuel, 0);
    };
    expect(await fuelOf(500)).toBeLessThan(3 * (await fuelOf(200_000)));
    expect(filter.traps).toBe(0);
  });

  test('may be patched', async () => {
    const filter = await ofAnswers({ merge: { seen: true, p: null } });
    expect(await seen(filter, '{"p":1}\n{"a":1}\n', LINES)).toBe('{"seen":true}\n{"a":1,"seen":true}\n');
  });

  test.each(['{"a":1}\n{"p"\n', '{"a":1}\n{"p":1} {"p":2}\n', '{"a":1}\n{"p":\n1}\n'])(
    'that are none end the stream: %j',
    async (text) => {
      const [first, ...rest] = text.split(/(?<=\n)/);
      const exchange = await answered(await ofAnswers(HIDE), [first!, ...rest], LINES);
      expect(exchange.state).toBe('reset');
      const passing = await ofAnswers({ ...HIDE, onInvalid: 'Pass' });
      expect(await seen(passing, '{"p":1}\nx\n{"p":2}', LINES)).toBe('{"p":"***"}\nx\n{"p":"***"}');
    },
  );

  test('that are too long end it as well', async () => {
    const parts = ['{"a":1}\n', '{"a":"', 'x'.repeat(100), '"}'];
    const filter = await ofAnswers({ ...HIDE, maxBytes: 64 });
    expect((await answered(filter, parts, LINES)).state).toBe('reset');
    const passing = await ofAnswers({ ...HIDE, maxBytes: 64, onOverflow: 'Pass' });
    expect((await answered(passing, parts, LINES)).answer.body).toBe(parts.join(''));
  });

  test('with trailers behind them are not cut short in silence', async () => {
    const filter = await ofAnswers(HIDE);
    const whole = await filter.exchange({
      response: { headers: LINES, body: ['{"p":1}\n'], trailers: { a: 'b' } },
    });
    expect(whole.answer.body).toBe('{"p":"***"}\n');
    const open = await filter.exchange({
      response: { headers: LINES, body: ['{"a":1}\n{"p":1}'], trailers: { a: 'b' } },
    });
    if (open.state !== 'reset') expect(open.answer.body).toBe('{"a":1}\n{"p":"***"}');
  });
});

describe('events', () => {
  test.each([
    ['data: {"p":1}\n\n', 'data: {"p":"***"}\n\n'],
    [
      'id: 1\ndata:{"p":1}\nevent: a\n\ndata: {"a":1}\n\n',
      'id: 1\ndata: {"p":"***"}\nevent: a\n\ndata: {"a":1}\n\n',
    ],
    ['data: {"a":\ndata: {"p":1}}\n\n', 'data: {"a":\ndata: {"p":"***"}}\n\n'],
    ['data: {"p":\ndata: [1,\ndata: 2]}\n\n', 'data: {"p":\ndata: "***"}\n\n'],
    [': ping\n\nretry: 5\r\rdata: {"p":1}\r\n\r\n', ': ping\n\nretry: 5\r\rdata: {"p":"***"}\r\n\r\n'],
    ['\ufeffdata: {"p":1}\n\n', '\ufeffdata: {"p":"***"}\n\n'],
    ['datas: {"p":1}\ndata : {"p":1}\n\n', 'datas: {"p":1}\ndata : {"p":1}\n\n'],
    // No reader takes the last one, some do.
    ['data: {"p":1}\n\ndata: {"p":2}', 'data: {"p":"***"}\n\ndata: {"p":"***"}'],
  ])('%j are redacted', async (text, expected) => {
    expect(
      (await seen(await ofAnswers(HIDE, WHEN), text, EVENTS)).toString().replace('\ufeffdata', 'data'),
    ).toBe(expected.replace('\ufeffdata', 'data'));
  });

  test('whose data is not JSON end the stream, or pass', async () => {
    const parts = ['data: {"p":1}\n\n', 'data: [DONE]\n\n'];
    expect((await answered(await ofAnswers(HIDE, WHEN), parts, EVENTS)).state).toBe('reset');
    const passing = await ofAnswers({ ...HIDE, onInvalid: 'Pass' }, WHEN);
    expect(await seen(passing, parts.join(''), EVENTS)).toBe('data: {"p":"***"}\n\ndata: [DONE]\n\n');
  });
});
