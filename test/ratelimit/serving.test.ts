// `weir ratelimit` while its configuration changes, and over TLS.
import { credentials, status } from '@grpc/grpc-js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, run, temporaryFolder } from '../support/process.ts';
import { rateLimitClient } from '../support/ratelimit.ts';

const yaml = (requests: number): string => `apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: shop, namespace: shop}
spec:
  domain: shop
  limits:
  - descriptor: [{key: user}]
    limit: {requests: ${requests}, per: 24h, algorithm: token-bucket}
`;

async function start(text: string, ...args: string[]) {
  const folder = await temporaryFolder();
  const file = join(folder, 'limits.yaml');
  await writeFile(file, text);
  const address = `127.0.0.1:${await freePort()}`;
  const command = [join(ROOT, 'bin/weir'), 'ratelimit', '-f', file, '--listen', address, ...args];
  const program = new Program(process.execPath, command);
  await program.waitFor('"serving"');
  return { program, address, file };
}

test('SIGHUP: another configuration counts on from what was used, without a call that fails', async () => {
  const { program, address, file } = await start(yaml(2), '--no-watch');
  const ask = rateLimitClient(address);
  const askAnn = async () => (await ask('shop', [[['user', 'ann']]])).overall_code;
  expect([await askAnn(), await askAnn(), await askAnn()]).toEqual(['OK', 'OK', 'OVER_LIMIT']);

  let asking = true;
  let calls = 0;
  const others = Array.from({ length: 4 }, async () => {
    for (; asking; calls++) await ask('shop', [[['other', 'x']]]);
  });
  await writeFile(file, yaml(3));
  process.kill(program.pid, 'SIGHUP');
  await program.waitFor('configuration in force');
  expect([await askAnn(), await askAnn()]).toEqual(['OK', 'OVER_LIMIT']);
  asking = false;
  await Promise.all(others);
  expect(calls).toBeGreaterThan(0);

  await writeFile(file, yaml(9).replace('requests', 'reqests'));
  process.kill(program.pid, 'SIGHUP');
  await program.waitFor('configuration refused');
  expect(program.stderr).toContain('did you mean "requests"?');
  expect(await askAnn()).toBe('OVER_LIMIT');
});

test('a file that changes is read again; one at fault is told with its place, and changes nothing', async () => {
  const metrics = `127.0.0.1:${await freePort()}`;
  const { program, address, file } = await start(yaml(1), '--metrics', metrics);
  const ask = rateLimitClient(address);
  const askAnn = async () => (await ask('shop', [[['user', 'ann']]])).overall_code;
  const isLastInForce = async (): Promise<boolean> => {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    return text.includes('weir_ratelimit_config_last_reload_success 1');
  };
  expect([await askAnn(), await askAnn()]).toEqual(['OK', 'OVER_LIMIT']);

  await writeFile(file, yaml(9).replace('requests', 'reqests'));
  await program.waitFor('configuration refused');
  expect(program.stderr).toContain('limits.yaml:8:13  error');
  expect(await isLastInForce()).toBe(false);
  expect(await askAnn()).toBe('OVER_LIMIT');

  await writeFile(file, yaml(2));
  await program.waitFor('configuration in force');
  expect(await isLastInForce()).toBe(true);
  expect([await askAnn(), await askAnn()]).toEqual(['OK', 'OVER_LIMIT']);
});

test('TLS: callers without a certificate of the right authority are not served', async () => {
  const folder = await temporaryFolder();
  const authority = makeCertificate({ names: ['authority.test'], authority: true });
  const server = makeCertificate({ names: ['limits.test'], issuer: authority });
  const client = makeCertificate({ names: ['proxy.test'], issuer: authority });
  const other = makeCertificate({ names: ['authority.test'], authority: true });
  const stranger = makeCertificate({ names: ['proxy.test'], issuer: other });
  const fileOf = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const { address } = await start(
    yaml(2),
    ...['--tls-cert', await fileOf('server.pem', server.certificatePem)],
    ...['--tls-key', await fileOf('server.key', server.keyPem)],
    ...['--client-ca', await fileOf('ca.pem', authority.certificatePem)],
  );
  const askWith = (caller: TestCertificate | null) => {
    const key = caller === null ? null : Buffer.from(caller.keyPem);
    const chain = caller === null ? null : Buffer.from(caller.certificatePem);
    const by = credentials.createSsl(Buffer.from(authority.certificatePem), key, chain, {
      checkServerIdentity: () => undefined,
    });
    return rateLimitClient(address, by)('shop', [[['user', 'ann']]]);
  };
  expect((await askWith(client)).overall_code).toBe('OK');
  await expect(askWith(stranger)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  await expect(askWith(null)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  await expect(rateLimitClient(address)('shop', [])).rejects.toMatchObject({ code: status.UNAVAILABLE });
});

test('flags of TLS that do not belong together, or name no file, end it with what is missing', async () => {
  const attempt = async (...args: string[]) => {
    const file = join(await temporaryFolder(), 'limits.yaml');
    await writeFile(file, yaml(1));
    const { code, stderr } = await run(process.execPath, [
      join(ROOT, 'bin/weir'),
      ...['ratelimit', '-f', file, '--listen', `127.0.0.1:${await freePort()}`, ...args],
    ]);
    return [code, stderr];
  };
  expect(await attempt('--client-ca', 'ca.pem')).toEqual([
    1,
    expect.stringContaining('needs --tls-cert and'),
  ]);
  expect(await attempt('--tls-key', 'a.key')).toEqual([1, expect.stringContaining('needs --tls-cert')]);
  const missing = await attempt('--tls-cert', 'missing.pem', '--tls-key', 'missing.key');
  expect(missing).toEqual([1, expect.stringContaining('--tls-cert: ENOENT')]);
});

test('an address of metrics that is taken ends it, whatever else is open', async () => {
  const { address } = await start(yaml(1));
  const file = join(await temporaryFolder(), 'limits.yaml');
  const store = `---
apiVersion: policy.weir/v1alpha1
kind: Store
metadata: {name: limits, namespace: shop}
spec: {redis: {address: "127.0.0.1:${await freePort()}"}}
`;
  await writeFile(file, yaml(1).replace('domain: shop', 'domain: shop\n  store: limits') + store);
  const { code, stderr } = await run(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['ratelimit', '-f', file, '--listen', `127.0.0.1:${await freePort()}`, '--metrics', address],
  ]);
  expect([code, stderr]).toEqual([3, expect.stringContaining(`--metrics ${address}: `)]);
});
