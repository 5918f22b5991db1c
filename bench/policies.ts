import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../test/support/process.ts';

/** Names of the configurations in `bench/load`. */
export type PolicyName = 'plain' | 'chain-3';

// As those files have them.
const GATEWAY_PORT = 18_080;
const UPSTREAM_PORT = 18_090;

/** A copy of a configuration of the load bench on other ports, so that a bench never meets another program. */
export async function policiesOn(name: PolicyName, gateway: number, upstream: number): Promise<string> {
  const original = fileURLToPath(new URL(`load/${name}.yaml`, import.meta.url));
  const text = (await readFile(original, 'utf8'))
    .replaceAll(`port: ${GATEWAY_PORT}`, `port: ${gateway}`)
    .replaceAll(`port: ${UPSTREAM_PORT}`, `port: ${upstream}`);
  const copy = join(await temporaryFolder(), `${name}.yaml`);
  await writeFile(copy, text);
  return copy;
}
