// How long a question waits while the event loop has too much to do: real sockets, real timers, a server that is slow.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Limit } from '../../../src/runtime/limit.ts';
import { StoreLedger, type StoreServer } from '../../../src/worker/store/ledger.ts';
import { atEnd } from '../../support/cleanup.ts';
import { TIMED } from '../../support/timing.ts';

const DEADLINE_MS = 20;
const QUESTIONS = 400;
const limit: Limit = { algorithm: 'token-bucket', requests: 10_000, periodMs: 1000, burst: 0 };

/** Answers each question after so long, and is there all the same. */
function slowServer(ms: number): StoreServer {
  return {
    isReady: true,
    run: () => new Promise((answer) => setTimeout(() => answer(['1', 99, 10, 0, 0, 200, 777]), ms).unref()),
    ping: () => Promise.resolve(),
  };
}

/** Milliseconds of work: in a loop that never rests the time that passes, without what the machine gave to others. */
function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function busyFor(ms: number): void {
  const until = worked() + ms;
  while (worked() < until);
}

/** Clients that each send a byte again as soon as they have an answer, so that every turn of the loop is full of them. */
async function load(clients: number, each: () => void): Promise<() => void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      each();
      socket.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < clients; i++) {
    const client = connect(port, '127.0.0.1', () => client.write('x'));
    client.on('error', () => undefined);
    client.on('data', (data) => client.write(data));
    sockets.push(client);
  }
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  atEnd(stop);
  return stop;
}

let ledger: StoreLedger;
afterEach(() => ledger.close());

function open(server: StoreServer, now: () => number): StoreLedger {
  ledger = new StoreLedger({
    server,
    keyPrefix: 'weir',
    deadlineMs: DEADLINE_MS,
    worker: 'me',
    now,
  });
  return ledger;
}

test('beyond the lag of the event loop nothing waits more than 5 ms over the deadline', TIMED, async () => {
  open(slowServer(300), worked);
  /** When the loop came round. */
  const turns: number[] = [];
  let isLooking = true;
  const look = (): void => {
    turns.push(worked());
    if (isLooking) setImmediate(look);
  };
  look();

  const waits: { asked: number; told: number }[] = [];
  let asked = 0;
  const stop = await load(100, () => {
    busyFor(1);
    const wait = { asked: worked(), told: 0 };
    const decided = (): void => {
      wait.told = worked();
      if (waits.length < QUESTIONS) waits.push(wait);
    };
    ledger.take(`key ${asked++}`, 1, limit, { decided }, 1);
  });
  while (waits.length < QUESTIONS) await new Promise(setImmediate);
  isLooking = false;
  stop();

  const longestTurn = Math.max(...turns.map((at, i) => at - (turns[i - 1] ?? at)));
  // Else nothing is measured.
  expect(longestTurn).toBeGreaterThan(10);
  const beyond = waits
    .map(({ asked: from, told }) => {
      const due = from + DEADLINE_MS;
      const lag = (turns.find((at) => at >= due) ?? due) - due;
      return told - due - lag;
    })
    .sort((a, b) => a - b);
  // Others are of a moment at which other threads of this process worked.
  expect(beyond[Math.floor(0.95 * beyond.length)]).toBeLessThan(5);
});

test('an answer that came while the event loop was held up is taken', async () => {
  open(slowServer(5), () => performance.now());
  const answers: boolean[] = [];
  const decided = (_ticket: number, { allowed }: { allowed: boolean }): void => void answers.push(allowed);
  expect(ledger.take('k', 1, limit, { decided }, 1)).toBeNull();
  busyFor(2 * DEADLINE_MS);
  while (answers.length === 0) await new Promise(setImmediate);
  expect(answers).toEqual([true]);
});

test('what has waited too long behind another question is not asked', async () => {
  let questions = 0;
  const server = slowServer(15);
  const run: StoreServer['run'] = (script, keys, args) => {
    if (args[0] === 'take') questions++;
    return server.run(script, keys, args);
  };
  open({ ...server, run }, () => performance.now());
  const told: boolean[] = [];
  const decided = (_ticket: number, { failed }: { failed: boolean }): void => void told.push(failed);
  ledger.take('k', 1, limit, { decided }, 1);
  ledger.take('k', 1, limit, { decided }, 2);
  // The answer to the first is there when the time of both is over.
  busyFor(2 * DEADLINE_MS);
  while (told.length < 2) await new Promise(setImmediate);
  expect(questions).toBe(1);
  expect(told).toEqual([false, true]);
});

test('nobody is told before the question is out, even where the machine took longer than the deadline to write it', async () => {
  let now = 0;
  open(slowServer(1000), () => (now += 2 * DEADLINE_MS));
  const told: boolean[] = [];
  const decided = (_ticket: number, { failed }: { failed: boolean }): void => void told.push(failed);
  expect(ledger.take('k', 1, limit, { decided }, 1)).toBeNull();
  // Who asks does not listen yet.
  expect(told).toEqual([]);
  while (told.length === 0) await new Promise(setImmediate);
  expect(told).toEqual([true]);
});
