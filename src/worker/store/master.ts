import type { SentinelSpec, ServerAddress, StoreSpec } from '../../runtime/snapshot.ts';
import { visit, type StoreClient } from './client.ts';

/** A Sentinel that says nothing for so long is not waited for. */
const SENTINEL_MS = 1000;
/** A visit of a Store takes no longer. */
const VISIT_MS = 10_000;

interface Known {
  readonly address: ServerAddress;
  /** Grows with each failover. */
  readonly epoch: number;
}

/**
 * The server to ask: where there are Sentinels, the one that they say is the master. More than half of them are waited
 * for, as far as they answer, and the newest failover counts that one of these knows of.
 *
 * @throws Error where no Sentinel knows
 */
export async function masterOf(spec: StoreSpec): Promise<ServerAddress> {
  const { addresses, sentinel } = spec;
  if (sentinel === null) return addresses[0]!;
  const known: Known[] = [];
  const faults: string[] = [];
  await new Promise<void>((resolve) => {
    for (const address of addresses)
      void askSentinel(spec, sentinel, address)
        .then(
          (answer) => known.push(answer),
          (fault: unknown) => faults.push(`${textOf(address)}: ${(fault as Error).message}`),
        )
        .then(() => {
          if (known.length > addresses.length / 2 || known.length + faults.length === addresses.length)
            resolve();
        });
  });
  if (known.length === 0) throw new Error(`no Sentinel knows the master: ${faults.join('; ')}`);
  return known.reduce((newest, each) => (each.epoch > newest.epoch ? each : newest)).address;
}

/**
 * Throws where a server is not one that can be counted in: a part of a Cluster, or a replica that a Sentinel still takes
 * for the master.
 */
export async function checkServer(client: StoreClient, spec: StoreSpec): Promise<void> {
  // A user may be forbidden to ask; what the server then refuses is told when it does.
  const ask = (...words: string[]): Promise<unknown> => client.sendCommand(words).catch(() => null);
  if (String(await ask('INFO', 'cluster')).includes('cluster_enabled:1')) throw new Error(CLUSTER);
  if (spec.sentinel === null) return;
  const role = await ask('ROLE');
  if (Array.isArray(role) && role[0] !== 'master') throw new Error('it is a replica, not the master yet');
}

const CLUSTER =
  'it is part of a Redis Cluster, which spreads keys over servers: name a server outside of one, or Sentinels';

/** Whether a server that answered so must be looked for anew; where it must, why. */
export function movedBy(answer: Error): Error | null {
  if (/^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN) /.test(answer.message)) return new Error(CLUSTER);
  if (answer.message.startsWith('READONLY')) return new Error('it has become a replica');
  return null;
}

/**
 * Asks a Store something once, over a connection of its own.
 *
 * @throws Error where it cannot be reached or refuses
 */
export async function visitStore<T>(spec: StoreSpec, ask: (client: StoreClient) => Promise<T>): Promise<T> {
  return visit({ ...spec, address: await masterOf(spec) }, VISIT_MS, ask);
}

export function textOf({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

async function askSentinel(
  { tls }: StoreSpec,
  { master, username, password }: SentinelSpec,
  address: ServerAddress,
): Promise<Known> {
  const spec = { address, tls, username, password, db: 0 };
  return visit(spec, SENTINEL_MS, async (client) => {
    const answer = (await client.sendCommand(['SENTINEL', 'MASTER', master])) as unknown;
    const { ip, port, 'config-epoch': epoch } = answer as Record<string, string>;
    return { address: { host: ip!, port: Number(port) }, epoch: Number(epoch) };
  });
}
