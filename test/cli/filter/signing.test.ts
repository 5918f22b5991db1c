import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ROOT, run, temporaryFolder } from '../../support/process.ts';
import { startRegistry, PASSWORD, USER, type TestRegistry } from '../../support/registry.ts';
import { labelFilter } from '../../support/scenario.ts';

const MODULE = Buffer.from(labelFilter('m1'));
const DIGEST = createHash('sha256').update(MODULE).digest('hex');

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'risk.wasm'), MODULE);
});

const weir = (args: readonly string[], env: Record<string, string> = {}) =>
  run(join(ROOT, 'bin/weir'), ['filter', ...args], { cwd: folder, env: { DOCKER_CONFIG: folder, ...env } });
const bytesOf = (name: string) => readFile(join(folder, name));

/** Makes a pair of keys; the identifier of the key, and the TrustedKey that was printed. */
async function keygen(name: string): Promise<{ id: string; trusted: string }> {
  const { code, stdout, stderr } = await weir(['keygen', '-o', name]);
  expect(code).toBe(0);
  return { id: /key ([0-9a-f]{16}):/.exec(stderr)![1]!, trusted: stdout };
}

describe('keys and signatures', () => {
  test('a private key is for its owner alone, is never overwritten, and is called by its public half', async () => {
    const { id, trusted } = await keygen('release.key');
    expect((await stat(join(folder, 'release.key'))).mode & 0o777).toBe(0o600);
    const pem = await bytesOf('release.key.pub');
    const raw = createPublicKey(pem.toString()).export({ type: 'spki', format: 'der' }).subarray(12);
    expect(createHash('sha256').update(raw).digest('hex').slice(0, 16)).toBe(id);
    expect(trusted).toContain(`spec: {publicKey: ${raw.toString('base64')}}`);
    expect(trusted).toContain('{name: release,');
    const again = await weir(['keygen', '-o', 'release.key']);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is there already')]);
    expect(await bytesOf('release.key.pub')).toEqual(pem);
  });

  test('what is signed is verified by key file and by TrustedKey, and openssl agrees', async () => {
    const { id, trusted } = await keygen('release.key');
    await writeFile(join(folder, 'trusted.yaml'), trusted);
    const signed = await weir(['sign', 'risk.wasm', '--key', 'release.key']);
    expect(signed.stdout).toBe(`risk.wasm.sig: signed sha256 ${DIGEST} by key ${id}\n`);
    for (const [flag, file, from] of [
      ['--key', 'release.key.pub', 'release.key.pub'],
      ['--trusted', 'trusted.yaml', 'TrustedKey default/release, trusted.yaml:1:1'],
    ] as const) {
      const { code, stdout } = await weir(['verify', 'risk.wasm', flag, file]);
      expect([code, stdout]).toEqual([0, `risk.wasm: sha256 ${DIGEST} is signed by key ${id} (${from})\n`]);
    }
    await writeFile(join(folder, 'digest'), Buffer.from(DIGEST, 'hex'));
    await writeFile(join(folder, 'sig'), Buffer.from((await bytesOf('risk.wasm.sig')).toString(), 'base64'));
    const args = '-verify -rawin -pubin -inkey release.key.pub -in digest -sigfile sig'.split(' ');
    execFileSync('openssl', ['pkeyutl', ...args], { cwd: folder, stdio: 'ignore' });
  });

  test('one flipped bit, and a key that nobody trusts, are refused with key and digest', async () => {
    const release = await keygen('release.key');
    const other = await keygen('other.key');
    await weir(['sign', 'risk.wasm', '--key', 'release.key']);
    const flipped = Buffer.from(MODULE);
    flipped[flipped.length - 1]! ^= 1;
    await writeFile(join(folder, 'risk.wasm'), flipped);
    const changed = await weir(['verify', 'risk.wasm', '--key', 'release.key.pub', 'other.key.pub']);
    expect([changed.code, changed.stdout]).toEqual([1, '']);
    expect(changed.stderr).toContain(createHash('sha256').update(flipped).digest('hex'));
    expect(changed.stderr).toContain(release.id);
    expect(changed.stderr).toContain(other.id);

    await writeFile(join(folder, 'risk.wasm'), MODULE);
    const unknown = await weir(['verify', 'risk.wasm', '--key', 'other.key.pub']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain(`sha256 ${DIGEST}`);
    expect(unknown.stderr).toContain(other.id);
    const unsigned = await weir(['verify', 'risk.wasm', '--key', 'other.key.pub', '--signature', 'none.sig']);
    expect(unsigned.stderr).toContain(`(sha256 ${DIGEST}) is not signed: none.sig does not exist`);
  });

  test('--add keeps the signatures of others, without it there is one', async () => {
    await keygen('a.key');
    await keygen('b.key');
    await weir(['sign', 'risk.wasm', '--key', 'a.key']);
    await weir(['sign', 'risk.wasm', '--key', 'b.key', '--add']);
    const both = await weir(['verify', 'risk.wasm', '--key', 'a.key.pub', 'b.key.pub']);
    expect(both.stdout.trim().split('\n')).toHaveLength(2);
    await weir(['sign', 'risk.wasm', '--key', 'b.key']);
    expect((await weir(['verify', 'risk.wasm', '--key', 'a.key.pub'])).code).toBe(1);
  });

  test('a private key that others may read signs nothing', async () => {
    await keygen('release.key');
    await chmod(join(folder, 'release.key'), 0o640);
    const { code, stderr } = await weir(['sign', 'risk.wasm', '--key', 'release.key']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('(mode 0640). Close it: chmod 600 release.key'),
    ]);
  });
});

describe('push and pull', () => {
  let server: TestRegistry;
  beforeAll(async () => {
    server = await startRegistry({ auth: 'token' });
  }, 180_000);
  const login = async (): Promise<void> => {
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [server.host]: { auth } } }));
  };

  test('a signed module goes and comes back, and is verified where it is', async () => {
    const { id } = await keygen('release.key');
    await login();
    const ref = `${server.host}/filters/risk:1.0`;
    const pushed = await weir([
      'push',
      'risk.wasm',
      ref,
      '--key',
      'release.key',
      '--annotation',
      'org.opencontainers.image.source=x',
    ]);
    expect([pushed.code, pushed.stderr]).toEqual([
      0,
      `pushed risk.wasm (sha256 ${DIGEST}), signed by key ${id}\n`,
    ]);
    const fixed = pushed.stdout.trim();
    expect(fixed).toMatch(new RegExp(`^${ref}@sha256:[0-9a-f]{64}$`));
    expect((await weir(['verify', ref, '--key', 'release.key.pub'])).stdout).toContain(
      `is signed by key ${id}`,
    );

    const pulled = await weir(['pull', fixed, '-o', 'copy.wasm', '--digest', `sha256:${DIGEST}`]);
    expect(pulled.code).toBe(0);
    expect(await bytesOf('copy.wasm')).toEqual(MODULE);
    expect((await weir(['verify', 'copy.wasm', '--key', 'release.key.pub'])).code).toBe(0);
    const wrong = await weir(['pull', ref, '-o', 'wrong.wasm', '--digest', `sha256:${'0'.repeat(64)}`]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('Nothing was written')]);
    await expect(bytesOf('wrong.wasm')).rejects.toThrow();
  });

  test('a credential helper is asked; without credentials it says where they come from', async () => {
    const helper = join(folder, 'docker-credential-tests');
    const answer = JSON.stringify({ Username: USER, Secret: PASSWORD });
    await writeFile(
      helper,
      `#!/bin/sh\nread server\n[ "$server" = "${server.host}" ] || exit 1\necho '${answer}'\n`,
    );
    await chmod(helper, 0o755);
    await writeFile(join(folder, 'config.json'), '{"credsStore": "tests"}');
    const ref = `${server.host}/filters/helped:1`;
    const env = { PATH: `${folder}:${process.env['PATH']}` };
    expect((await weir(['push', 'risk.wasm', ref], env)).stderr).toContain('not signed');
    await writeFile(join(folder, 'config.json'), '{}');
    const denied = await weir(['pull', ref, '-o', 'x.wasm']);
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('docker login')]);
    expect(denied.stderr).not.toContain('at ');
  });

  test('what would not load is not pushed', async () => {
    await writeFile(join(folder, 'risk.wasm'), '(module)');
    const { code, stderr } = await weir(['push', 'risk.wasm', `${server.host}/filters/bad:1`]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('wat2wasm')]);
  });
});
