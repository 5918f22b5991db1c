// A configuration class in Envoy: there is nobody who knows its schema, so the module itself must refuse.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { pluginBytes } from '../support/plugin.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/process.ts';
import { Envoy } from './envoy.ts';

async function start(config: object): Promise<Envoy> {
  const file = join(await temporaryFolder(), 'filter.wasm');
  writeFileSync(file, pluginBytes('configuration-kit'));
  const upstream = await FakeUpstream.start();
  const configuration = JSON.stringify(config);
  const filter = { name: 'kit', file, rootId: '', vmId: '', configuration, vmConfiguration: '' };
  return Envoy.start({
    listeners: [{ name: 'http', port: await freePort(), protocol: 'http', filters: [filter] }],
    clusters: { upstream: upstream.port },
  });
}

test('reads a right configuration', { timeout: 120_000 }, async () => {
  const envoy = await start({ upstream: 'scores', places: [{ header: 'x' }], after: '1m' });
  await envoy.waitFor('scores hello raw true 3 0 0.5 60000 65536 1 0 204 a - 1 - 1.5 -1 2 - - 7 level 31');
  await envoy.stop();
});

test('refuses a wrong one, with every fault', { timeout: 120_000 }, async () => {
  const refusal = await start({ upstream: 'A', level: 6, unknown: 1, places: [] }).then(
    () => 'it started',
    (error: unknown) => String(error),
  );
  for (const fault of [
    '1:13: upstream: must match [a-z]([a-z0-9-]*[a-z0-9])?',
    '1:25: level: expected a whole number from -5 to 5',
    '1:48: places: must not be empty',
    '1:37: unknown: unknown field',
  ])
    expect(refusal).toContain(`configuration ${fault}`);
});
