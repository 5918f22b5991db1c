import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { failingFilter, sha256Of, twoRoutes, until } from '../support/scenario.ts';

// It waits for the back-off of a filter that has nothing to go back to: seven seconds.
test('a first digest that traps has nothing to go back to: its breaker holds, and the Module says so', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const filter = failingFilter('m1');
  const weir = await Weir.start({
    files: { 'edge.yaml': twoRoutes({ port, upstreamPort: upstream.port }), 'filter.wasm': filter },
  });
  let tripped = false;
  const plain: number[] = [];
  const asked = (async () => {
    while (!tripped) {
      await exchange({ port }, getRequest('/filtered', 'localhost', 'Connection: close'));
      plain.push((await exchange({ port }, getRequest('/plain', 'localhost', 'Connection: close'))).status);
    }
  })();
  const { modules } = await until(weir, 'trips', (each) => each.modules[0]!.state === 'tripped', 20_000);
  tripped = true;
  await asked;
  expect(modules[0]!.failed).toMatchObject({ digest: sha256Of(filter), plugin: 'shop/chain#label' });
  expect(new Set(plain)).toEqual(new Set([200]));
  await weir.stop();
});
