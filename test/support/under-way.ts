import { echo, held, type FakeUpstream } from './fake-upstream.ts';
import { getRequest, RawClient } from './raw-client.ts';

/** A request that the upstream has, and answers when it is let go. */
export async function underWay(
  upstream: FakeUpstream,
  port: number,
): Promise<{ client: RawClient; release: () => void }> {
  const { behaviour, release } = held(echo());
  upstream.script(behaviour);
  const seen = upstream.total;
  const client = await RawClient.connect({ port });
  await client.send(getRequest('/slow'));
  await upstream.waitForRequests(seen + 1);
  return { client, release };
}
