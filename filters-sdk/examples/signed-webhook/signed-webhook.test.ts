import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { openFilter } from '@weir/filters-sdk/testing';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const filter = await openFilter(`${import.meta.dirname}/index.ts`, {
  config: { publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64') },
});
const signed = (body: string) => sign('sha256', Buffer.from(body), privateKey).toString('base64');

async function send(body: string | string[], signature: string, trailers: Record<string, string> = {}) {
  const request = { method: 'POST', headers: { 'x-signature': signature }, body, trailers };
  const { answer, upstream } = await filter.exchange({ request });
  return [answer.status, upstream?.body];
}

test('passes on what the partner has signed, in whatever pieces it comes', async () => {
  expect(await send(['{"a"', ':1}'], signed('{"a":1}'))).toEqual([200, '{"a":1}']);
  expect(await send(['{"a"', ':1}'], signed('{"a":1}'), { 'x-end': '1' })).toEqual([200, '{"a":1}']);
});

test('refuses anything else before any of it goes upstream', async () => {
  expect(await send('{"a":2}', signed('{"a":1}'))).toEqual([401, undefined]);
  expect(await send('{"a":2}', signed('{"a":1}'), { 'x-end': '1' })).toEqual([401, undefined]);
  expect(await send('{"a":1}', 'no base64')).toEqual([401, undefined]);
  expect((await filter.exchange({ request: { method: 'POST', body: 'x' } })).answer.status).toBe(401);
  expect((await filter.exchange()).answer).toMatchObject({ status: 401, details: 'bad_signature' });
  const two = { 'x-signature': [signed('{"a":1}'), signed('{"a":1}')] };
  const twice = { method: 'POST', headers: two, body: '{"a":1}' };
  expect((await filter.exchange({ request: twice })).answer.status).toBe(401);
});

test('says when the key is none', async () => {
  const refused = openFilter(`${import.meta.dirname}/index.ts`, { config: { publicKey: '?' } });
  await expect(refused).rejects.toThrow(/publicKey: not base64/);
});
