// A Store over TLS, with a user of its own: a real redis-server, asked by `weir ratelimit`.
import { status } from '@grpc/grpc-js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { rateLimitClient, type Ask } from '../support/ratelimit.ts';
import { Redis } from '../support/redis.ts';

const authority = makeCertificate({ names: ['authority.test'], authority: true });
const stranger = makeCertificate({ names: ['authority.test'], authority: true });
const server = makeCertificate({ names: ['redis.test'], issuer: authority });

let redis: Redis;
beforeAll(async () => {
  const folder = await temporaryFolder();
  const fileOf = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  redis = await Redis.startTls(
    {
      certificate: await fileOf('server.pem', server.certificatePem),
      key: await fileOf('server.key', server.keyPem),
      ca: await fileOf('ca.pem', authority.certificatePem),
    },
    ...['--user', 'limits', 'on', '>only-for-tests', '~shop:*', '+@all'],
    ...['--user', 'default', 'off'],
  );
}, 60_000);

interface Settings {
  readonly ca?: string;
  readonly serverName?: string;
  readonly password?: string;
}

async function start(settings: Settings, expected: string): Promise<{ ask: Ask; program: Program }> {
  const { ca = authority.certificatePem, serverName = 'redis.test', password = 'only-for-tests' } = settings;
  const folder = await temporaryFolder();
  const object = (kind: string, name: string, spec: object): string =>
    JSON.stringify({
      apiVersion: kind === 'Secret' || kind === 'ConfigMap' ? 'v1' : 'policy.weir/v1alpha1',
      kind,
      metadata: { name, namespace: 'shop' },
      ...spec,
    });
  const all = [
    object('Secret', 'redis', { stringData: { password } }),
    object('ConfigMap', 'authority', { data: { 'ca.crt': ca } }),
    object('Store', 'limits', {
      spec: {
        redis: {
          address: redis.address,
          tls: { serverName, ca: { configMap: { name: 'authority' } } },
          username: 'limits',
          passwordRef: { name: 'redis', key: 'password' },
        },
        keyPrefix: 'shop',
        deadline: '1s',
      },
    }),
    object('RateLimitService', 'shop', {
      spec: {
        domain: 'shop',
        store: 'limits',
        limits: [
          {
            descriptor: [{ key: 'user' }],
            limit: { requests: 2, per: '24h', algorithm: 'token-bucket' },
          },
        ],
      },
    }),
  ];
  const file = join(folder, 'limits.yaml');
  await writeFile(file, all.join('\n---\n'));
  const address = `127.0.0.1:${await freePort()}`;
  const program = new Program(process.execPath, [
    join(ROOT, 'bin/weir'),
    ...['ratelimit', '-f', file, '--listen', address],
  ]);
  await program.waitFor('"serving"');
  await program.waitFor(expected);
  return { ask: rateLimitClient(address), program };
}

const codesOf = async (ask: Ask, user: string): Promise<string[]> => {
  const codes = [];
  for (let i = 0; i < 3; i++) codes.push((await ask('shop', [[['user', user]]])).overall_code);
  return codes;
};

test('counts as a user with a password, over TLS', async () => {
  const { ask } = await start({}, 'store connected');
  expect(await codesOf(ask, 'ann')).toEqual(['OK', 'OK', 'OVER_LIMIT']);
  // Another process goes on from there: it is Redis that counts.
  const second = await start({}, 'store connected');
  expect(await codesOf(second.ask, 'ann')).toEqual(['OVER_LIMIT', 'OVER_LIMIT', 'OVER_LIMIT']);
});

test.each<[string, Settings]>([
  ['a certificate of another authority', { ca: stranger.certificatePem }],
  ['a certificate for another name', { serverName: 'other.test' }],
  ['a password that is not the one', { password: 'something-else' }],
])('trusts no server, and is trusted by none, with %s', async (_name, settings) => {
  const { ask, program } = await start(settings, 'store out of reach');
  await expect(ask('shop', [[['user', 'bea']]])).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(program.stderr).not.toContain('something-else');
});
