import type { ServerAddress, StoreSpec } from '../../runtime/snapshot.ts';
import type { StoreScript } from './store-script.ts';

export type StoreClient = ReturnType<(typeof import('@redis/client'))['createClient']>;

const CONNECT_MS = 2000;

interface ClientSpec extends Pick<StoreSpec, 'tls' | 'username' | 'password'> {
  readonly address: ServerAddress;
  readonly db: number;
}

/** A client that is not connected yet, and ends for good where its connection does: it asks nothing twice. */
export async function clientOf({ address, tls, username, password, db }: ClientSpec): Promise<StoreClient> {
  // Loaded where it is used alone: it takes 40 ms and some MiB.
  const { createClient } = await import('@redis/client');
  const client = createClient({
    socket: {
      host: address.host,
      port: address.port,
      connectTimeout: CONNECT_MS,
      reconnectStrategy: false,
      ...(tls === null
        ? {}
        : {
            tls: true as const,
            servername: tls.serverName ?? address.host,
            ...(tls.ca === null ? {} : { ca: tls.ca }),
          }),
    },
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    database: db,
    disableOfflineQueue: true,
  });
  return client as unknown as StoreClient;
}

/**
 * Asks a server something once, over a connection of its own.
 *
 * @throws Error where it cannot be reached, refuses, or takes longer than `limitMs`
 */
export async function visit<T>(
  spec: ClientSpec,
  limitMs: number,
  ask: (client: StoreClient) => Promise<T>,
): Promise<T> {
  const client = await clientOf(spec);
  // What failed is told by what was asked.
  client.on('error', () => undefined);
  const limit = setTimeout(() => client.destroy(), limitMs);
  try {
    await client.connect();
    return await ask(client);
  } finally {
    clearTimeout(limit);
    client.destroy();
  }
}

export async function runScript(
  client: StoreClient,
  script: StoreScript,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const call = { keys: [...keys], arguments: [...args] };
  try {
    return await client.evalSha(script.digest, call);
  } catch (fault) {
    // A server that was started again does not know it; nothing of it was done.
    if (!(fault instanceof Error) || !fault.message.startsWith('NOSCRIPT')) throw fault;
    return client.eval(script.text, call);
  }
}

/** What a server answers that has done nothing. */
const UNDONE = /^(OOM|MISCONF|NOREPLICAS|READONLY|LOADING|BUSY|NOPERM|NOAUTH|MASTERDOWN) /;

/** Whether it is known that nothing was done. */
export function isUndone(fault: Error): boolean {
  return UNDONE.test(fault.message);
}
