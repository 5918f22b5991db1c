import type { StoreSpec } from '../../runtime/snapshot.ts';
import type { StoreScript } from './store-script.ts';

export type StoreClient = ReturnType<(typeof import('@redis/client'))['createClient']>;

const CONNECT_MS = 2000;
/** A visit takes no longer. */
const VISIT_MS = 10_000;

/** A client that is not connected yet, and ends for good where its connection does: it asks nothing twice. */
export async function clientOf(spec: StoreSpec): Promise<StoreClient> {
  // Loaded where it is used alone: it takes 40 ms and some MiB.
  const { createClient } = await import('@redis/client');
  const { tls } = spec;
  const client = createClient({
    socket: {
      host: spec.host,
      port: spec.port,
      connectTimeout: CONNECT_MS,
      reconnectStrategy: false,
      ...(tls === null
        ? {}
        : { tls: true as const, servername: tls.serverName, ...(tls.ca === null ? {} : { ca: tls.ca }) }),
    },
    ...(spec.username === null ? {} : { username: spec.username }),
    ...(spec.password === null ? {} : { password: spec.password }),
    database: spec.db,
    disableOfflineQueue: true,
  });
  return client as unknown as StoreClient;
}

/**
 * Asks a server something once, over a connection of its own.
 *
 * @throws Error where it cannot be reached or refuses
 */
export async function visitStore<T>(spec: StoreSpec, ask: (client: StoreClient) => Promise<T>): Promise<T> {
  const client = await clientOf(spec);
  // What failed is told by what was asked.
  client.on('error', () => undefined);
  const limit = setTimeout(() => client.destroy(), VISIT_MS);
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
