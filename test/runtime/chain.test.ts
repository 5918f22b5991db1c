import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataPlane, type Part } from '../support/data-plane.ts';
import { type Echo, FakeUpstream, chunkedReply, reply } from '../support/fake-upstream.ts';
import { exchange, getRequest, postRequest, RawClient } from '../support/raw-client.ts';
import { compileAssemblyScript } from '../support/assemblyscript.ts';
import { GUEST_SDK } from '../support/guest-sdk.ts';
import { scriptedGuest } from '../support/scripted-guest.ts';

let bytes: Uint8Array;
let digest: string;

beforeAll(async () => {
  bytes = await scriptedGuest();
  digest = createHash('sha256').update(bytes).digest('hex');
});

type Filter =
  string | { readonly steps: string; readonly onError?: 'deny' | 'skip'; readonly buffer?: number };

/** One chain of scripted filters on one route to one upstream. */
function part(upstream: FakeUpstream, filters: readonly Filter[], more: Part = {}): Part {
  const plugins = filters.map((filter, i) => {
    const {
      steps,
      onError = 'deny',
      buffer = 1 << 20,
    } = typeof filter === 'string' ? { steps: filter } : filter;
    return {
      name: `test/chain#${i}`,
      configuration: steps,
      onError,
      bodyBufferBytes: buffer,
      callouts: [['check', 0]] as const,
    };
  });
  return {
    clusters: [{ ports: [upstream.port] }],
    modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
    plugins,
    chains: [[], plugins.map((_, i) => i)],
    rules: [{ chain: 1 }],
    ...more,
  };
}

async function start(
  upstream: FakeUpstream,
  filters: readonly Filter[],
  more: Part = {},
): Promise<DataPlane> {
  return DataPlane.start(part(upstream, filters, more), new Map([[digest, bytes]]));
}

function field(echo: Echo, name: string): string | undefined {
  return echo.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

describe('heads', () => {
  test('meet the filters in order, and backwards on the way back', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, [
      'reqh append x-way a;resh append x-way a',
      'reqh append x-way b;resh append x-way b',
    ]);
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect(field(answer.json<Echo>(), 'x-way')).toBe('ab');
    expect(answer.header('x-way')).toBe('ba');
  });

  test('a local reply is the answer; filters that saw the request see it too, others do not', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, [
      'resh append x-way a',
      'reqh reply 403 no;resh append x-way b',
      'reqh set x-c 1;resh append x-way c',
    ]);
    const client = await RawClient.connect({ port: plane.port });
    for (let i = 0; i < 3; i++) {
      const answer = await client.exchange(postRequest('/', 'body'));
      expect([answer.status, answer.text, answer.header('x-way')]).toEqual([403, 'no', 'ba']);
    }
    expect(upstream.total).toBe(0);
  });

  test('a filter that stops the head lets go after its callout', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['reqh call check']);
    const client = await RawClient.connect({ port: plane.port });
    const echo = (await client.exchange(postRequest('/', 'hello'))).json<Echo>();
    expect([echo.target, echo.bodyLength, field(echo, 'x-checked')]).toEqual(['/', 5, 'yes']);
    expect(upstream.requests[0]!.target).toBe('/check');
    upstream.script(reply(500));
    const refused = await client.exchange(getRequest('/'));
    expect([refused.status, refused.text]).toEqual([403, 'refused']);
  });

  test('an answer can wait for a callout too', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['resh call check;resh set x-late 1']);
    const answer = await exchange({ port: plane.port }, getRequest('/'));
    expect([answer.status, answer.header('x-late')]).toEqual([200, '1']);
    expect(upstream.requests.map(({ target }) => target)).toEqual(['/', '/check']);
  });

  test('routing is decided again when a filter changes what it reads', async () => {
    const one = await FakeUpstream.start({ name: 'one' });
    const two = await FakeUpstream.start({ name: 'two' });
    const plane = await start(one, ['reqh set :path /two', 'reqh set x-extra yes'], {
      clusters: [{ ports: [one.port] }, { ports: [two.port] }],
      chains: [[], [0], [0, 1]],
      rules: [
        {
          match: { path: { type: 'prefix', value: '/two' } },
          chain: 2,
          backends: [{ cluster: 1, weight: 1, requestHeaders: null, responseHeaders: null }],
        },
        { chain: 1 },
      ],
    });
    const echo = (await exchange({ port: plane.port }, getRequest('/'))).json<Echo>();
    expect([echo.upstream, echo.target, field(echo, 'x-extra')]).toEqual(['two', '/two', 'yes']);
  });

  test('the listener has filters for requests without a route', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['resh set x-seen yes'], {
      listenerChain: 1,
      rules: [{ match: { path: { type: 'exact', value: '/only' } } }],
    });
    const answer = await exchange({ port: plane.port }, getRequest('/other'));
    expect([answer.status, answer.header('x-seen')]).toEqual([404, 'yes']);
  });
});

describe('bodies', () => {
  test('are gathered while a filter waits for the end, and may get another length', async () => {
    const upstream = await FakeUpstream.start({ behaviour: chunkedReply(['ab', 'cd', 'ef']) });
    const plane = await start(upstream, ['reqb buffer;reqb write xyz', 'resb buffer;resb write seven!!']);
    const client = await RawClient.connect({ port: plane.port });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await new Promise((resolve) => setTimeout(resolve, 30));
    await client.send('def');
    const answer = await client.read();
    expect([answer.text, answer.framing]).toEqual(['seven!!', 'length']);
    expect(upstream.requests[0]!.text).toBe('xyz');
  });

  test('too large to be gathered are 413 on the way up and 500 on the way down', async () => {
    const upstream = await FakeUpstream.start();
    const up = await start(upstream, [{ steps: 'reqb buffer', buffer: 1000 }]);
    const client = await RawClient.connect({ port: up.port });
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(5000)}`);
    expect((await client.read()).status).toBe(413);
    const down = await start(upstream, [{ steps: 'resb buffer', buffer: 10 }]);
    upstream.script(chunkedReply(['x'.repeat(200_000), 'y']));
    expect((await exchange({ port: down.port }, getRequest('/'))).status).toBe(500);
  });

  test('stream through a filter that only looks', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['reqb size']);
    const echo = (await exchange({ port: plane.port }, postRequest('/', 'x'.repeat(300_000)))).json<Echo>();
    expect(echo.bodyLength).toBe(300_000);
  });
});

describe('a trap', () => {
  test('denies the request, and the filter serves the next ones', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['reqh set x-before 1;reqh trapIf x-boom']);
    const client = await RawClient.connect({ port: plane.port });
    const boom = await client.exchange(getRequest('/', 'a', 'X-Boom: 1'));
    expect([boom.status, boom.json<{ code: string }>().code]).toEqual([500, 'filter_failed']);
    await expect.poll(async () => (await client.exchange(getRequest('/'))).status).toBe(200);
    expect(plane.runtime.status().plugins[0]!.traps).toBe(1);
  });

  test('is skipped where the filter says so, and what it changed is taken back', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, [
      { steps: 'reqh set x-before 1;reqh trapIf x-boom', onError: 'skip' },
      'reqh set x-after 1',
    ]);
    const echo = (await exchange({ port: plane.port }, getRequest('/', 'a', 'X-Boom: 1'))).json<Echo>();
    expect([field(echo, 'x-before'), field(echo, 'x-after')]).toEqual([undefined, '1']);
  });

  test('in an answer callback turns the answer into 500', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['resh trap']);
    expect((await exchange({ port: plane.port }, getRequest('/'))).status).toBe(500);
  });

  test('ends other streams that wait in the same instance', async () => {
    const upstream = await FakeUpstream.start();
    const plane = await start(upstream, ['reqh trapIf x-boom;reqh call check']);
    upstream.script(() => new Promise(() => undefined));
    const waiting = await RawClient.connect({ port: plane.port });
    await waiting.send(getRequest('/'));
    await upstream.waitForRequests(1);
    await exchange({ port: plane.port }, getRequest('/', 'a', 'X-Boom: 1'));
    expect((await waiting.read()).status).toBe(500);
  });
});

test('a filter that refuses its configuration keeps the snapshot from being staged', async () => {
  const upstream = await FakeUpstream.start();
  const plane = await start(upstream, ['reqh set x-a 1']);
  await expect(plane.apply(part(upstream, ['refuse']))).rejects.toMatchObject({ plugin: 'test/chain#0' });
  const echo = (await exchange({ port: plane.port }, getRequest('/'))).json<Echo>();
  expect(field(echo, 'x-a')).toBe('1');
});

test('a filter that only logs is called at the end of each stream', async () => {
  const logger = await compileAssemblyScript({
    'index.ts': `
      export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
      import { header, log } from "./guest";
      export function proxy_on_log(context: i32): void {
        const path = header(0, ":path");
        log(path === null ? "nothing" : path);
      }`,
    ...GUEST_SDK,
  });
  const name = createHash('sha256').update(logger).digest('hex');
  const upstream = await FakeUpstream.start();
  const modules = [{ name: 'test/logger', digest: name, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }];
  const lines: string[] = [];
  const plane = await DataPlane.start(
    part(upstream, [''], { modules }),
    new Map([[name, logger]]),
    (_fields, message) => lines.push(message),
  );
  await exchange({ port: plane.port }, getRequest('/seen'));
  await expect.poll(() => lines).toContain('/seen');
});

test('instances go with the last stream of their snapshot', async () => {
  const upstream = await FakeUpstream.start();
  const plane = await start(upstream, ['reqh set x-v 1']);
  for (let i = 2; i < 20; i++) {
    await plane.apply(part(upstream, [`reqh set x-v ${i}`]));
    const echo = (await exchange({ port: plane.port }, getRequest('/'))).json<Echo>();
    expect(field(echo, 'x-v')).toBe(String(i));
  }
  expect(plane.runtime.status().plugins).toHaveLength(1);
});
