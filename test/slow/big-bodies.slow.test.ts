import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { edge } from '../support/edge.ts';
import { big, FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { bigHash, getRequest, RawClient } from '../support/raw-client.ts';

const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;

// Two filters that look at heads only: bodies must pass them without being gathered.
const policies = (port: number, upstreamPort: number): string => `
${edge({ port, upstreamPort, namespace: 'test' })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: two, namespace: test}
spec:
  targetRefs: [{kind: HTTPRoute, name: all}]
  filters:
  - {name: first, use: headers, config: {request: {set: {x-first: seen}}, response: {set: {x-first: seen}}}}
  - {name: second, use: headers, config: {request: {set: {x-second: seen}}, response: {set: {x-second: seen}}}}
`;

let upstream: FakeUpstream;
let weir: Weir;
let port: number;

beforeAll(async () => {
  upstream = await FakeUpstream.start({ discard: true });
  port = await freePort();
  weir = await Weir.start({ files: { 'all.yaml': policies(port, upstream.port) } });
});

afterAll(async () => {
  await weir.stop();
});

test('1 GiB goes up through two filters, whole and in bounded memory', async () => {
  upstream.script(async (request, answer) => {
    await request.finish();
    await answer.send(
      200,
      [['X-Seen', request.headers('x-first').concat(request.headers('x-second')).join()]],
      request.sha256,
    );
  });
  const client = await RawClient.connect({ port, timeoutMs: 120_000 });
  const memory = watchMemory();
  await client.send(`POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: ${SIZE}\r\n\r\n`);
  const sent = await client.sendBig(SIZE, 3);
  const answer = await client.read({ method: 'POST' });
  expect([answer.status, answer.header('x-seen')]).toEqual([200, 'seen,seen']);
  expect(answer.text).toBe(sent);
  expect(memory.growth()).toBeLessThan(64 * MIB);
});

test('1 GiB comes down through two filters, whole and in bounded memory', async () => {
  upstream.script(big(SIZE, { seed: 5 }));
  const client = await RawClient.connect({ port, timeoutMs: 120_000 });
  const memory = watchMemory();
  const answer = await client.exchange(getRequest('/down'), { discard: true });
  expect([answer.status, answer.header('x-first'), answer.header('x-second')]).toEqual([200, 'seen', 'seen']);
  expect([answer.bodyLength, answer.sha256]).toEqual([SIZE, bigHash(SIZE, 5)]);
  expect(memory.growth()).toBeLessThan(64 * MIB);
});

/** Resident memory of weir's processes, compared with what it is now; the most that was seen. */
function watchMemory(): { growth: () => number } {
  const before = residentBytes();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, 50);
  return {
    growth: () => {
      clearInterval(timer);
      return most - before;
    },
  };
}

function residentBytes(): number {
  const family = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statusOf(name))
    .filter(
      (status) => status.includes(`\nPPid:\t${weir.pid}\n`) || status.includes(`\nPid:\t${weir.pid}\n`),
    );
  return family.reduce((sum, status) => sum + Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024, 0);
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
