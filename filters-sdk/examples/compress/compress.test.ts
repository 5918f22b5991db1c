import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openFilter, type Answer } from '@weir/filters-sdk/testing';

const filter = await openFilter(`${import.meta.dirname}/index.ts`, { config: { least: 100 } });
const text = 'all of it again. '.repeat(20);
const html = { 'content-type': 'text/html', 'content-length': String(text.length) };

async function page(accepts: string, headers: Record<string, string> = {}, more: object = {}) {
  const { answer } = await filter.exchange({
    request: { headers: { 'accept-encoding': accepts }, ...more },
    response: { headers: { ...html, ...headers }, body: [text.slice(0, 50), text.slice(50)] },
  });
  return answer;
}
const isCompressed = (answer: Answer): boolean => answer.headers['content-encoding'] !== undefined;

test('compresses what the client takes, and says so', async () => {
  const answer = await page('gzip, Deflate;q=0.5', { etag: '"a"' });
  expect(answer.headers).toMatchObject({
    'content-encoding': 'deflate',
    vary: 'Accept-Encoding',
    etag: 'W/"a"',
  });
  expect(inflateSync(answer.bytes).toString()).toBe(text);
  expect(answer.bytes.length).toBeLessThan(60);
  expect(answer.headers['content-length'] ?? String(answer.bytes.length)).toBe(String(answer.bytes.length));
});

test.each(['gzip', '', 'deflate;q=0', 'gzip;q=1, deflate; q=0.000', 'deflated'])(
  'leaves the answer as it is for a client that takes "%s", and says that others get another',
  async (accepts) => {
    const answer = await page(accepts);
    expect([isCompressed(answer), answer.body, answer.headers['vary']]).toEqual([
      false,
      text,
      'Accept-Encoding',
    ]);
  },
);

test.each([
  { 'content-encoding': 'br' },
  { 'content-type': 'image/png' },
  { 'cache-control': 'public, no-transform' },
])('leaves alone what must stay: %j', async (headers) => {
  const answer = await page('deflate', headers);
  expect([answer.body, answer.headers['vary']]).toEqual([text, undefined]);
});

test('leaves alone short answers, those in parts, and those of unknown length', async () => {
  const ask = async (response: object) =>
    (await filter.exchange({ request: { headers: { 'accept-encoding': 'deflate' } }, response })).answer;
  const short = await ask({ headers: { 'content-type': 'text/html', 'content-length': '5' }, body: 'short' });
  const part = await ask({ status: 206, headers: html, body: text });
  expect([short, part].map(isCompressed)).toEqual([false, false]);
});

test('an answer to HEAD has no body to compress', async () => {
  expect(isCompressed(await page('deflate', {}, { method: 'HEAD' }))).toBe(false);
});
