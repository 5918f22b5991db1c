// The same connections through the test kit and through a proxy with sockets: what either end gets, what the filter is
// told, and how the connection ends is the same, step by step.
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../../filters-sdk/testing/kit.ts';
import type { TcpExchange } from '../../../filters-sdk/testing/testing.d.ts';
import { DataPlane } from '../../support/data-plane.ts';
import { exampleFile } from '../../support/examples.ts';
import { scriptedTcpGuest } from '../../support/scripted-tcp-guest.ts';
import { dial, TcpServer, type TcpEnd } from '../../support/tcp.ts';

/** Bytes of one end, or its end: a half close. */
type Step = readonly [from: 'client' | 'upstream', bytes: string | null];

const say = (from: Step[0], ...texts: (string | null)[]): Step[] => texts.map((text) => [from, text]);

/** The guest tells what it is told, whatever else it does. */
const TOLD = 'new log new;down log down;up log up;dclose log dclose;uclose log uclose;done log done';

const SCRIPTS: readonly [title: string, script: string, steps: readonly Step[]][] = [
  [
    'bytes as they are',
    '',
    [...say('client', 'one', 'two'), ...say('upstream', 'three'), ...say('client', null)],
  ],
  ['both ends, one after the other', '', [...say('client', 'a', null), ...say('upstream', 'b', null)]],
  ['the upstream ends first', '', [...say('upstream', 'a', null), ...say('client', 'b', null)]],
  [
    'changed',
    'down upper;up wrap w',
    [...say('client', 'abc'), ...say('upstream', 'def'), ...say('client', null)],
  ],
  ['longer', 'down append !;up append ?', [...say('client', 'a', 'b'), ...say('upstream', 'c')]],
  ['dropped', 'down drop', [...say('client', 'a', 'b'), ...say('upstream', 'c')]],
  ['gathered', 'down gather 5', say('client', 'ab', 'cd', 'efg', 'h', null)],
  ['gathered and changed', 'up gather 4;up upper', say('upstream', 'ab', 'c', 'de', 'f', null)],
  ['held for ever', 'down stop', [...say('client', 'ab', 'cd'), ...say('upstream', 'x')]],
  ['closed by the filter', 'down closeIf quit', say('client', 'hello', 'quit now')],
  [
    'closed by the filter, behind the upstream',
    'up closeIf bye',
    [...say('client', 'a'), ...say('upstream', 'b', 'bye')],
  ],
  [
    'trapped',
    'down trapAt bad',
    [...say('client', 'good'), ...say('upstream', 'x'), ...say('client', 'bad')],
  ],
  ['closed at the end of one side', 'up closeIf bye', [...say('client', null), ...say('upstream', 'bye')]],
  ['refused at once', 'new close 2', []],
];

let guest: Uint8Array;
let quota: Uint8Array;
beforeAll(async () => {
  guest = await scriptedTcpGuest();
  quota = await readFile(await exampleFile('connection-quota'));
}, 60_000);

const waitFor = (holds: () => void): Promise<void> => expect.poll(() => (holds(), true)).toBe(true);

class Pair {
  readonly #kit: TcpExchange;
  readonly #lines: readonly string[];
  readonly #client: TcpEnd;
  readonly #upstream: TcpEnd | null;

  private constructor(kit: TcpExchange, lines: readonly string[], client: TcpEnd, upstream: TcpEnd | null) {
    this.#kit = kit;
    this.#lines = lines;
    this.#client = client;
    this.#upstream = upstream;
  }

  static async open(bytes: Uint8Array, config: unknown): Promise<Pair> {
    const filter = await openFilter(bytes, { config });
    const server = await TcpServer.start();
    const lines: string[] = [];
    const plane = await DataPlane.start(
      {
        protocol: 'tcp',
        tcpRules: [{ chain: 1 }],
        chains: [[], [0]],
        modules: [{ name: 'm', digest: 'm', source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
        plugins: [{ name: 'm', configuration: typeof config === 'string' ? config : JSON.stringify(config) }],
        clusters: [{ ports: [server.port] }],
      },
      new Map([['m', bytes]]),
      (fields, message) => {
        if ('plugin' in fields) lines.push(message);
      },
    );
    const kit = filter.tcp();
    const client = await dial(plane.port);
    const upstream = kit.state === 'open' ? await server.accepted() : null;
    return new Pair(kit, lines, client, upstream);
  }

  step([from, bytes]: Step): void {
    const end = from === 'client' ? this.#client : this.#upstream!;
    if (bytes === null) end.end();
    else end.write(bytes);
    if (from === 'client') this.#kit.fromClient(bytes ?? '', bytes === null);
    else this.#kit.fromUpstream(bytes ?? '', bytes === null);
  }

  /** Waits until the proxy's side is where the kit's is. */
  async agrees(): Promise<void> {
    const { state, toClient, toUpstream } = this.#kit;
    await waitFor(() => {
      expect(this.#lines).toEqual(this.#kit.logs.map(({ message }) => message));
      expect(this.#client.text).toBe(Buffer.from(toClient).toString('latin1'));
      expect(this.#upstream?.text ?? '').toBe(Buffer.from(toUpstream).toString('latin1'));
      expect([this.#client.ended !== 'open' && (this.#upstream?.ended ?? 'end') !== 'open']).toEqual([
        state === 'closed',
      ]);
    });
  }
}

describe('a filter that does what a script says', () => {
  test.each(SCRIPTS)('%s', async (_title, script, steps) => {
    const pair = await Pair.open(guest, `${TOLD};${script}`);
    await pair.agrees();
    for (const step of steps) {
      pair.step(step);
      await pair.agrees();
    }
  });
});

test('example connection-quota', async () => {
  const pair = await Pair.open(quota, { bytes: 10 });
  for (const step of [...say('client', '12345'), ...say('upstream', 'abc', 'defgh')]) {
    pair.step(step);
    await pair.agrees();
  }
});
