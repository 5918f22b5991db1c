import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { readRecording, type Recording } from '../../src/replay/recording.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { Load } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { OpenTap } from '../support/recording.ts';
import { guard, guardedChain, KEY } from '../support/recorded-chain.ts';

export const FILTERS = ['key', 'limit', 'shape', 'guard'] as const;

/** The module of a filter of the chain as it serves. */
export function moduleOf(filter: string): Promise<Uint8Array> {
  if (filter === 'guard') return guard();
  const names: Record<string, string> = { key: 'api-key', limit: 'rate-limit', shape: 'headers' };
  const file = fileURLToPath(new URL(`../../dist/filters/${names[filter]!}.wasm`, import.meta.url));
  return Promise.resolve(readFileSync(file));
}

/** Sent before more is recorded: what outruns its reader, who may have to wait for a busy machine, is not recorded. */
const LEAD = 400;

/** Records so many requests of the chain, under load, in two workers; some are refused by each filter that can. */
export async function recordChain(
  requests: number,
  query = '',
): Promise<{ file: string; recording: Recording; text: string }> {
  let calls = 0;
  const origin = await FakeUpstream.start({ discard: true });
  const authz = await FakeUpstream.start({
    behaviour: async (request, answer) => {
      calls++;
      await request.finish();
      await answer.send(200, [['x-verdict', calls % 7 === 0 ? 'no' : 'yes']], `call ${calls}`);
    },
  });
  const port = await freePort();
  const weir = await Weir.start({
    workers: 2,
    files: {
      'edge.yaml': guardedChain({ port, upstreamPort: origin.port, authzPort: authz.port }),
      'guard.wasm': await guard(),
    },
  });
  const tap = await OpenTap.start(weir, `filter=*&for=10m&bodies=all${query}`);
  const reading = tap.rest().catch(() => undefined);
  let streams = 0;
  let begun = 0;
  let seen = 0;
  const isRecorded = (): boolean => {
    for (; seen < tap.records.length; seen++) {
      const record = tap.records[seen]!;
      // Each instance has a root context, too.
      if (record.type === 'instance') begun--;
      else if (record.type === 'callback' && record.callback === 'proxy_on_context_create') begun++;
    }
    return begun >= streams;
  };
  for (let sent = 0; sent < requests; sent += LEAD) {
    const load = new Load({
      port,
      connections: 16,
      requests: Math.min(LEAD, requests - sent),
      request: (i) =>
        `GET /item/${sent + i} HTTP/1.1\r\nHost: shop.test\r\n` +
        `X-Api-Key: ${(sent + i) % 11 === 0 ? 'wrong' : KEY}\r\n` +
        `Authorization: Bearer token-${sent + i}-abcdefgh\r\n\r\n`,
    });
    const { ok, failures, statuses } = await load.done;
    expect([...failures]).toEqual([]);
    // Who is refused gets no further.
    streams += 4 * ok - 3 * (statuses.get(401) ?? 0) - 2 * (statuses.get(429) ?? 0);
    await vi.waitUntil(isRecorded, { timeout: 60_000, interval: 5 });
  }
  await weir.stop();
  await reading;
  const file = join(mkdtempSync(join(tmpdir(), 'weir-replay-')), 'chain.jsonl');
  writeFileSync(file, tap.text);
  return { file, recording: await readRecording(file), text: tap.text };
}
