import { describe, expect, test } from 'vitest';
import type { BandwidthSpec } from '../../src/runtime/snapshot.ts';
import { makeCertificate } from '../support/certificate.ts';
import { DataPlane, type Part } from '../support/data-plane.ts';
import { type Behaviour, big, type Echo, FakeUpstream, upgradeEcho } from '../support/fake-upstream.ts';
import { bigHash, getRequest, RawClient } from '../support/raw-client.ts';
import { TIMED } from '../support/timing.ts';

const KiB = 1024;
const CERTIFICATE = makeCertificate({ names: ['a.example'] });
/** As much again as one read may bring beyond what is saved up. */
const READ = 64 * KiB;

interface Bench {
  readonly plane: DataPlane;
  readonly client: RawClient;
}

async function start(
  bandwidth: BandwidthSpec | undefined,
  behaviour?: Behaviour,
  tls = false,
): Promise<Bench> {
  const upstream = await FakeUpstream.start(behaviour === undefined ? {} : { behaviour });
  const secure: Part = {
    protocol: 'https',
    listeners: [
      {
        certificates: [
          { chainPem: CERTIFICATE.certificatePem, keyPem: CERTIFICATE.keyPem, names: ['a.example'] },
        ],
      },
    ],
  };
  const plane = await DataPlane.start({
    clusters: [{ ports: [upstream.port] }],
    rules: [bandwidth === undefined ? {} : { bandwidth }],
    ...(tls ? secure : {}),
  });
  const client = await RawClient.connect({
    port: plane.port,
    timeoutMs: 60_000,
    ...(tls ? { tls: { ca: CERTIFICATE.certificatePem, checkServerIdentity: () => undefined } } : {}),
  });
  return { plane, client };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

const rate = (bytesPerSecond: number, burst: number) => ({ bytesPerSecond, burst });

/** Seconds that so many bytes take at least, whatever came at once in front and in the last read. */
const least = (total: number, bytesPerSecond: number, burst: number): number =>
  (total - Math.max(burst, 0.3 * bytesPerSecond) - 2 * READ) / bytesPerSecond;

describe.each([
  ['in clear', false],
  ['with TLS', true],
])('bandwidth %s', (_name, tls) => {
  test('an answer takes the time of its rate, and comes whole', async () => {
    const total = 768 * KiB;
    const { client } = await start({ response: rate(512 * KiB, 32 * KiB) }, big(total), tls);
    let sha256 = '';
    const took = await seconds(async () => {
      ({ sha256 } = await client.exchange(getRequest('/'), { discard: true }));
    });
    expect(sha256).toBe(bigHash(total));
    expect(took).toBeGreaterThan(least(total, 512 * KiB, 32 * KiB));
  }, 60_000);

  test('a request takes the time of its rate, and comes whole', async () => {
    const total = 768 * KiB;
    const { client } = await start({ request: rate(512 * KiB, 32 * KiB) }, undefined, tls);
    let told = {} as Echo;
    let sha256 = '';
    const took = await seconds(async () => {
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
      sha256 = await client.sendBig(total);
      told = JSON.parse((await client.read()).body.toString()) as Echo;
    });
    expect(told.sha256).toBe(sha256);
    expect(took).toBeGreaterThan(least(total, 512 * KiB, 32 * KiB));
  }, 60_000);
});

test('a rate for one direction leaves the other alone', { ...TIMED, timeout: 60_000 }, async () => {
  const total = 4096 * KiB;
  const { client } = await start({ request: rate(64 * KiB, KiB) }, big(total));
  const took = await seconds(() => client.exchange(getRequest('/'), { discard: true }));
  expect(took).toBeLessThan(least(total, 64 * KiB, KiB) / 4);
});

test(
  'a high rate is reached with a small burst, though timers wake late',
  { ...TIMED, timeout: 60_000 },
  async () => {
    const { client } = await start({ response: rate(20_480 * KiB, 16 * KiB) }, big(10_240 * KiB));
    const took = await seconds(() => client.exchange(getRequest('/'), { discard: true }));
    // Half a second; one read for each time that the wheel wakes would take ten.
    expect(took).toBeLessThan(5);
  },
);

test('a burst goes on at once', { ...TIMED, timeout: 60_000 }, async () => {
  const total = 256 * KiB;
  const { client } = await start({ response: rate(8 * KiB, 1024 * KiB) }, big(total));
  const took = await seconds(() => client.exchange(getRequest('/'), { discard: true }));
  expect(took).toBeLessThan(least(total, 8 * KiB, 0) / 4);
});

test('a slow answer comes in small pieces, not in lumps', async () => {
  const { client } = await start({ response: rate(20 * KiB, KiB) }, big(40 * KiB));
  const sizes: number[] = [];
  await client.exchange(getRequest('/'), { onData: (data) => sizes.push(data.length) });
  expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * KiB);
}, 60_000);

test('each stream has its rate for itself', { ...TIMED, timeout: 60_000 }, async () => {
  const total = 256 * KiB;
  const { client, plane } = await start({ response: rate(256 * KiB, 16 * KiB) }, big(total));
  const others = await Promise.all(
    [1, 2, 3, 4, 5].map(() => RawClient.connect({ port: plane.port, timeoutMs: 60_000 })),
  );
  const took = await seconds(() =>
    Promise.all([client, ...others].map((one) => one.exchange(getRequest('/'), { discard: true }))),
  );
  // One bucket for all six would take so long at least.
  expect(took).toBeLessThan(least(6 * total, 256 * KiB, 16 * KiB) - 0.5);
});

test('what an upgraded connection carries is held to it as well', async () => {
  const total = 384 * KiB;
  const { client } = await start(
    { request: rate(256 * KiB, 16 * KiB), response: rate(10_240 * KiB, 16 * KiB) },
    upgradeEcho(),
  );
  await client.send(getRequest('/', 'a', 'Connection: Upgrade', 'Upgrade: websocket'));
  expect((await client.read()).status).toBe(101);
  const took = await seconds(async () => {
    void client.sendBig(total);
    for (let got = 0; got < total;) got += (await client.source.some())!.length;
  });
  expect(took).toBeGreaterThan(least(total, 256 * KiB, 16 * KiB));
}, 60_000);

test('a client that leaves while it is held leaves nothing behind', async () => {
  const { client, plane } = await start({ response: rate(4 * KiB, KiB) }, big(1024 * KiB));
  await client.send(getRequest('/'));
  await client.source.some();
  client.close();
  await expect
    .poll(() => {
      const { streams, clusters } = plane.runtime.status();
      return [streams, clusters[0]!.requests];
    })
    .toEqual([0, 0]);
});

test(
  'a stream without a rate is not held by that of the stream before it',
  { ...TIMED, timeout: 60_000 },
  async () => {
    const upstream = await FakeUpstream.start({ behaviour: big(512 * KiB) });
    const plane = await DataPlane.start({
      clusters: [{ ports: [upstream.port] }],
      rules: [
        {
          match: { path: { type: 'prefix', value: '/slow' } },
          bandwidth: { response: rate(16 * KiB, 512 * KiB) },
        },
        {},
      ],
    });
    const client = await RawClient.connect({ port: plane.port, timeoutMs: 60_000 });
    await client.exchange(getRequest('/slow'), { discard: true });
    const took = await seconds(() => client.exchange(getRequest('/'), { discard: true }));
    expect(took).toBeLessThan(8);
  },
);
