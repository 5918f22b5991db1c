import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilter, type Filter, type GrpcCall } from '@weir/filters-sdk/testing';

let filter: Filter;
beforeAll(async () => {
  filter = await openFilter('src/index.ts', {
    config: { upstream: 'risk', refuseFrom: 80 },
    upstreams: ['risk'],
  });
});
afterAll(() => filter.close());

/** `ScoreResponse { score }`: field 1, a varint. */
const score = (value: number) => ({ messages: [Uint8Array.of(0x08, value)] });
const request = { path: '/pay', headers: { 'x-risk': '0' } };

test('asks with the path, and tells the upstream the score', async () => {
  let asked: GrpcCall | undefined;
  filter.onGrpc('risk', (call) => {
    asked = call;
    return score(42);
  });
  const { upstream } = await filter.exchange({ request });
  expect([asked?.service, asked?.method]).toEqual(['acme.risk.v1.Risk', 'Score']);
  // Field 1, four bytes.
  expect(Buffer.from(asked!.messages[0]!).toString('latin1')).toMatch(/^\n\x04\/pay/);
  expect(upstream?.headers['x-risk']).toBe('42');
});

test('refuses from the configured score on', async () => {
  filter.onGrpc('risk', () => score(79));
  expect((await filter.exchange({ request })).answer.status).toBe(200);
  filter.onGrpc('risk', () => score(80));
  const { answer, upstream } = await filter.exchange({ request });
  expect(answer.status).toBe(403);
  expect(upstream).toBeNull();
});

test('lets a request go on without a score where the service fails', async () => {
  filter.onGrpc('risk', () => ({ status: 14, message: 'gone fishing' }));
  const { answer, upstream, logs } = await filter.exchange({ request });
  expect(answer.status).toBe(200);
  expect(upstream?.headers['x-risk']).toBeUndefined();
  expect(logs.map(({ message }) => message).join()).toContain('gone fishing');
});

test('a broken answer counts as no risk, and breaks nothing', async () => {
  for (const broken of [[], [0x08], [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0f]]) {
    filter.onGrpc('risk', () => ({ messages: [Uint8Array.from(broken)] }));
    expect((await filter.exchange({ request })).upstream?.headers['x-risk']).toBe('0');
  }
});
