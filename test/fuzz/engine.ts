/**
 * Random configurations, with filters that do random things, under random requests. Whatever is asked: each request is
 * answered within its time or its connection is closed, nothing is thrown, and in the end no stream is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { DataPlane, type Part } from '../support/data-plane.ts';
import type { Dice } from '../support/dice.ts';
import {
  type Behaviour,
  chunkedReply,
  cutAfter,
  delayed,
  early,
  echo,
  FakeUpstream,
  rawReply,
  reply,
  resetOnRequest,
} from '../support/fake-upstream.ts';
import { ClosedError, type Fields } from '../support/message.ts';
import { RawClient } from '../support/raw-client.ts';

const HOSTS = ['a.test', 'x.b.test', 'c.test', 'A.TEST:80', '127.0.0.1'];
const PATHS = [
  '/',
  '/a',
  '/a/b',
  '/a/b/c',
  '/b',
  '/%61',
  '/a/../b',
  '//a',
  '/a?x=1',
  '/a?x=2&y',
  '/%2F',
  '*',
];
const REQUEST_MS = 400;

const BEHAVIOURS: readonly Behaviour[] = [
  echo(),
  echo(),
  reply(204),
  reply(304, [['etag', '"x"']]),
  reply(500, [], 'no'),
  reply(503, [['retry-after', '0']]),
  early(200, [], 'early'),
  chunkedReply(['one', 'two'], [['x-trailer', '1']], [['trailer', 'x-trailer']]),
  chunkedReply([]),
  rawReply(
    'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  ),
  rawReply('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
  rawReply('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n'),
  rawReply('nonsense\r\n\r\n'),
  cutAfter(45, 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabcdefgh', 'close'),
  cutAfter(0, '', 'close'),
  resetOnRequest(),
  delayed(30, reply(200, [], 'late')),
];

/** A value that says how long it is and what stands in it, so that whoever gets it sees whether it is whole. */
function described(dice: Dice): string {
  const size = dice.pick([10, 100, 1000, 2000, 4000, 8000]) + dice.below(100);
  return patterned(size, dice.below(26));
}

function patterned(size: number, from: number): string {
  let text = `${size}.${from}.`;
  while (text.length < size) text += String.fromCharCode(97 + ((from + 7 * text.length) % 26));
  return text;
}

/** Fields by the name of `X-Large…` that are not as they were sent. */
function broken(fields: Fields): Fields {
  return fields.filter(([name, value]) => {
    const [size, from] = value.split('.').map(Number);
    return name.toLowerCase().startsWith('x-large') && patterned(size ?? 0, from ?? 0) !== value;
  });
}

const largeFields = (dice: Dice): Fields =>
  pickUpTo(dice, 4, () => [`X-Large-${dice.below(3)}`, described(dice)]);

/** What callbacks of the scripted filter do; those that stop without going on are left out. */
const STEPS = [
  'reqh set x-a 1',
  'reqh set :path /b',
  'reqh set :path /a/b?z',
  'reqh set :authority a.test',
  'reqh set :method POST',
  'reqh unset x-b',
  'reqh reply 403 no',
  'reqh call up',
  'reqh call up;called reply 401 no',
  'reqh trap',
  'reqh trapIf x-b',
  'reqb buffer',
  'reqb write changed',
  'reqb buffer;reqb write whole',
  'reqb reply 413 no',
  'reqb trap',
  'reqb drop',
  'reqb trail x-t 1',
  'resh set x-c 1',
  'resh set :status 201',
  'resh unset etag',
  'resh reply 502 no',
  'resh call up',
  'resh trap',
  'resb buffer',
  'resb write changed',
  'resb buffer;resb write whole',
  'resb reply 500 no',
  'resb trail x-t 1',
  'resb trap',
  'rest set x-u 1',
  'log trap',
];

const pickUpTo = <T>(dice: Dice, most: number, make: () => T): T[] =>
  Array.from({ length: dice.below(most + 1) }, make);

const modifier = (dice: Dice) =>
  dice.chance(0.7)
    ? null
    : { remove: ['x-a'], set: [['x-b', 'set']] as const, add: [['x-d', 'added']] as const };

function randomRule(dice: Dice, chains: number): NonNullable<Part['rules']>[number] {
  const path = dice.pick([
    null,
    { type: 'prefix', value: '/' },
    { type: 'prefix', value: '/a' },
    { type: 'exact', value: '/a/b' },
    { type: 'regex', value: '/a.*' },
  ] as const);
  return {
    match: {
      path,
      method: dice.chance(0.2) ? 'POST' : null,
      headers: dice.chance(0.2) ? [{ name: 'x-b', type: 'exact', value: '1' }] : [],
      query: dice.chance(0.2) ? [{ name: 'x', type: 'regex', value: '[0-9]' }] : [],
    },
    chain: dice.below(chains),
    requestHeaders: modifier(dice),
    responseHeaders: modifier(dice),
    rewrite: dice.chance(0.2)
      ? {
          hostname: dice.chance(0.5) ? 'other.test' : null,
          path: dice.pick([null, { type: 'full', value: '/full' }, { type: 'prefix', value: '/p' }] as const),
        }
      : null,
    redirect: dice.chance(0.1)
      ? {
          scheme: dice.pick([null, 'https'] as const),
          hostname: null,
          path: dice.pick([null, { type: 'prefix', value: '/q' }] as const),
          port: dice.pick([null, 99]),
          status: 302,
        }
      : null,
    backends: pickUpTo(dice, 3, () => ({
      cluster: dice.below(4) - 1,
      weight: dice.below(3),
      requestHeaders: modifier(dice),
      responseHeaders: modifier(dice),
    })),
    timeouts: { requestMs: REQUEST_MS, perTryMs: dice.pick([0, 15]), idleMs: REQUEST_MS },
    retry: dice.chance(0.5)
      ? null
      : {
          on: dice.below(1 << 10),
          statuses: [503],
          maxAttempts: 1 + dice.below(3),
          backoffBaseMs: 1,
          backoffMaxMs: 3,
          honorRetryAfter: dice.chance(0.5),
          budgetPercent: 100,
          budgetMinPerSecond: 1000,
          budgetWindowMs: 10_000,
          replayBytes: dice.pick([0, 8, 65_536]),
          onlyIdempotent: dice.chance(0.5),
          avoidPreviousEndpoint: dice.chance(0.5),
        },
  };
}

/** @param ports of upstreams, and one that nobody listens on */
function randomPart(dice: Dice, ports: readonly number[], closed: number, digest: string): Part {
  const plugins = Array.from({ length: 6 }, (_, i) => ({
    name: `test/chain#${i}`,
    configuration: pickUpTo(dice, 3, () => dice.pick(STEPS)).join(';') || 'none',
    onError: dice.pick(['deny', 'skip'] as const),
    bodyBufferBytes: dice.pick([4, 1 << 20]),
    onBodyOverflow: dice.pick(['reject', 'stream'] as const),
    bodyWhileHeld: dice.chance(0.3),
    callouts: [['up', 0]] as const,
  }));
  const chains = [
    [],
    ...Array.from({ length: 4 }, () => pickUpTo(dice, 3, () => dice.below(plugins.length))),
  ];
  const rules = pickUpTo(dice, 4, () => randomRule(dice, chains.length));
  return {
    modules: [{ name: 'test/scripted', digest, source: 'test.yaml:1:1', memoryBytes: 16 << 20 }],
    plugins,
    // A plugin is in a chain once.
    chains: chains.map((chain) => [...new Set(chain)]),
    rules,
    listeners: ['', 'a.test', '*.b.test']
      .filter(() => dice.chance(0.6))
      .map((hostname) => ({ hostname, chain: dice.below(chains.length) })),
    clusters: [
      { ports: ports.slice(0, 1) },
      { ports, balance: 'least-request', connectTimeoutMs: 50 },
      { ports: [closed, ports[0]!], maxRequests: 2, maxConnections: 2, maxPending: 1 },
    ],
    limits: {
      headTimeoutMs: 500,
      idleTimeoutMs: 500,
      bodyTimeoutMs: 500,
      requestsPerConnection: dice.pick([0, 2]),
    },
  };
}

function randomRequest(dice: Dice): { readonly bytes: Buffer; readonly method: string } {
  const method = dice.pick(['GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'PUT']);
  const lines = [
    `${method} ${dice.pick(PATHS)} HTTP/1.${dice.chance(0.1) ? 0 : 1}`,
    `Host: ${dice.pick(HOSTS)}`,
  ];
  for (const line of ['X-B: 1', 'X-A: 2', 'Connection: close', 'TE: trailers', 'Expect: 100-continue'])
    if (dice.chance(0.15)) lines.push(line);
  if (dice.chance(0.3)) lines.push(...largeFields(dice).map(([name, value]) => `${name}: ${value}`));
  if (method === 'POST' || method === 'PUT') {
    if (dice.chance(0.5)) return { method, bytes: text([...lines, 'Content-Length: 7', '', '1234567']) };
    const body = ['3', 'abc', '4', 'defg', '0', ...(dice.chance(0.4) ? ['x-t: 1'] : []), '', ''];
    return { method, bytes: text([...lines, 'Transfer-Encoding: chunked', '', ...body]) };
  }
  return { method, bytes: text([...lines, '', '']) };
}

function text(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\r\n'));
}

/** @returns how many requests got which status; 0: the connection was closed instead */
export async function driveEngine(
  dice: Dice,
  configurations: number,
  requests: number,
  guest: { readonly digest: string; readonly bytes: Uint8Array },
): Promise<Map<number, number>> {
  const faults: Fields = [];
  const upstreams = await Promise.all(
    [0, 1].map(() =>
      FakeUpstream.start({
        behaviour(request, answer) {
          faults.push(...broken(request.fields));
          const behaviour = dice.chance(0.2) ? reply(200, largeFields(dice), 'large') : dice.pick(BEHAVIOURS);
          return behaviour(request, answer);
        },
      }),
    ),
  );
  const gone = await FakeUpstream.start();
  await gone.stop();
  const ports = upstreams.map(({ port }) => port);
  const code = new Map([[guest.digest, guest.bytes]]);
  const plane = await DataPlane.start({ clusters: [{ ports }] }, code, () => undefined);
  const statuses = new Map<number, number>();
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  for (let n = 0; n < configurations; n++) {
    const part = randomPart(dice, ports, gone.port, guest.digest);
    await plane.apply(part, code);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let i = 0; i < requests / 4; i++)
          count(await ask(plane.port, randomRequest(dice), dice, faults));
      }),
    ).catch((fault: unknown) => {
      throw new Error(`${(fault as Error).message}\nwith ${JSON.stringify({ ...part, modules: [] })}`);
    });
  }
  const until = performance.now() + 5000;
  while (plane.runtime.status().streams > 0 && performance.now() < until) await sleep(10);
  expect(plane.runtime.status().streams).toBe(0);
  expect(faults).toEqual([]);
  for (const upstream of upstreams) await upstream.stop();
  return statuses;
}

async function ask(
  port: number,
  { bytes, method }: ReturnType<typeof randomRequest>,
  dice: Dice,
  faults: Fields,
): Promise<number> {
  const client = await RawClient.connect({ port });
  try {
    const at = dice.below(bytes.length);
    await (dice.chance(0.5) ? client.send(bytes) : client.send(bytes.subarray(0, at), bytes.subarray(at)));
    const answer = await client.read({ method, timeoutMs: 50 * REQUEST_MS });
    faults.push(...broken(answer.fields));
    return answer.status;
  } catch (fault) {
    if (fault instanceof ClosedError || (fault as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    if ((fault as NodeJS.ErrnoException).code === 'ECONNRESET') return 0;
    throw new Error(`${bytes.toString('latin1')}: ${(fault as Error).message}`, { cause: fault });
  } finally {
    client.close();
  }
}
