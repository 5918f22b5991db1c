import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../filters-sdk/testing/kit.ts';
import { pluginBytes } from '../support/plugin.ts';

let module: Buffer;
beforeAll(() => {
  module = pluginBytes('sdk-host');
}, 120_000);

async function ask(path: string, { bytes = module, config = '' } = {}): Promise<string> {
  const filter = await openFilter(bytes, { config, capabilities: ['default', 'secrets'] });
  const exchange = await filter.exchange({ request: { path } });
  const answer = exchange.upstream?.headers['x-host'];
  if (answer === undefined) throw new Error(exchange.transcript());
  return answer;
}

describe('functions that hosts offer beyond the ABI', () => {
  test('counters, data for a time, changes step by step', async () => {
    expect(await ask('/counters')).toBe('5 3 true,true,true,true,false kept xa');
  });

  test('counters without weir’s function are shared data', async () => {
    const bytes = Buffer.from(module);
    const at = bytes.indexOf(Buffer.from('weir.counter_add', 'utf16le'));
    expect(at).toBeGreaterThan(0);
    bytes.write('none', at, 'utf16le');
    expect(await ask('/counters', { bytes })).toMatch(/^5 3 /);
  });

  test('compression', async () => {
    expect(await ask('/compress')).toBe('true hello hello hello hello hello hello hello true');
  });

  test('protobuf, whole and cut off', async () => {
    expect(await ask('/protobuf')).toBe('1:0:4 2:300:0 1000:0:200 3:18446744073709551615:0 false');
  });

  test('filter state, metadata, expressions', async () => {
    expect(await ask('/state')).toBe('true,true,true,false,true,true kept value');
  });

  test.each(['rsa', 'ec'] as const)('signatures: %s', async (kind) => {
    const pair =
      kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' });
    const size = Buffer.alloc(2);
    size.writeUInt16LE(privateKey.length);
    const config = Buffer.concat([size, privateKey, publicKey]).toString('base64');
    expect(await ask('/signatures', { config })).toBe('true false true');
  });

  test('a function that the host does not know', async () => {
    expect(await ask('/unknown')).toBe('truetrue');
  });
});
