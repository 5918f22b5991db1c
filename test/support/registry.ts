/** Debian's docker-registry, started as a test wants it: open, with a password, or with a server for tokens. */
import { createHash, createSign, randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installDebian } from '../languages/toolchains.ts';
import { makeCertificate, type TestCertificate } from './certificate.ts';
import { atEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';

export const USER = 'ann';
export const PASSWORD = 'correct horse';
/** bcrypt of the password, which is all that docker-registry reads. */
const PASSWORD_HASH = '$2b$04$srYPIs/R2pUeO1X.VGuGf.nymL7UWozujZCKszLvoKIHaMVoddhtW';
/** A refresh token that the token server takes in place of the password. */
export const IDENTITY_TOKEN = 'identity-of-ann';

export interface RegistryOptions {
  readonly auth?: 'none' | 'password' | 'token';
  /** Speaks TLS with this certificate. */
  readonly certificate?: TestCertificate;
  /** Keeps the port and what was pushed. */
  readonly of?: TestRegistry;
}

export interface TestRegistry {
  /** `localhost:PORT`. */
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  /** What was asked of the token server: scopes. */
  readonly scopes: string[];
  stop(): Promise<void>;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  needRegistry();
  const { auth = 'none', certificate, of } = options;
  const folder = of?.folder ?? (await mkdtemp(join(tmpdir(), 'weir-registry-')));
  if (of === undefined) atEnd(() => rm(folder, { recursive: true, force: true }));
  const port = of?.port ?? (await freePort());
  const scopes: string[] = [];
  const config: Record<string, unknown> = {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: `127.0.0.1:${port}`, secret: 'only for tests' },
  };
  if (certificate !== undefined) {
    const files = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') };
    await writeFile(files.certificate, certificate.certificatePem);
    await writeFile(files.key, certificate.keyPem, { mode: 0o600 });
    Object.assign(config['http'] as object, { tls: files });
  }
  if (auth === 'password') {
    await writeFile(join(folder, 'htpasswd'), `${USER}:${PASSWORD_HASH}\n`);
    config['auth'] = { htpasswd: { realm: 'tests', path: join(folder, 'htpasswd') } };
  } else if (auth === 'token') {
    const signer = makeCertificate({ names: ['tokens'] });
    await writeFile(join(folder, 'tokens.crt'), signer.certificatePem);
    const realm = await tokenServer(signer, scopes);
    const rootcertbundle = join(folder, 'tokens.crt');
    config['auth'] = { token: { realm, service: 'registry', issuer: 'tokens', rootcertbundle } };
  }
  const file = join(folder, 'config.json');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const program = new Program('docker-registry', ['serve', file]);
  await listening(program, port, certificate !== undefined);
  return { host: `localhost:${port}`, port, folder, scopes, stop: () => program.kill() };
}

async function listening(program: Program, port: number, secure: boolean): Promise<void> {
  const url = `http://127.0.0.1:${port}/v2/`;
  for (let i = 0; i < 400; i++) {
    if (program.exit !== null) throw program.fault('ended');
    // One that speaks TLS answers plain text with 400: it is there.
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status > 0 && (secure || status !== 400)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw program.fault('does not answer');
}

function needRegistry(): void {
  try {
    execFileSync('docker-registry', ['--version'], { stdio: 'ignore' });
  } catch {
    installDebian(['docker-registry']);
  }
}

/** Gives tokens as the distribution registry reads them (JWT, ES256, with the certificate in its head). */
async function tokenServer(signer: TestCertificate, scopes: string[]): Promise<string> {
  const server = createHttpServer((request, response) => {
    void bodyOf(request).then((body) => {
      const query = new URL(request.url!, 'http://x').searchParams;
      const form = new URLSearchParams(body);
      const scope = query.get('scope') ?? form.get('scope') ?? '';
      scopes.push(scope);
      const expected = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
      const isKnown =
        request.headers.authorization === expected || form.get('refresh_token') === IDENTITY_TOKEN;
      if (!isKnown) return response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}');
      const token = makeToken(signer, scope);
      return response.end(JSON.stringify(request.method === 'POST' ? { access_token: token } : { token }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}

function makeToken(signer: TestCertificate, scope: string): string {
  const [type, name, actions] = scope.split(':');
  const now = Math.floor(Date.now() / 1000);
  const access = [{ type, name, actions: (actions ?? '').split(',') }];
  const claims = {
    iss: 'tokens',
    sub: USER,
    aud: 'registry',
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  };
  const der = signer.certificatePem.replace(/-----[^-]+-----|\s/g, '');
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', typ: 'JWT', x5c: [der] })}.${part(claims)}`;
  const signature = createSign('sha256').update(text).sign({ key: signer.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

export function sha256Digest(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A tar archive of POSIX.1-1988 with these files. */
export function tarOf(files: readonly (readonly [name: string, content: Uint8Array])[]): Buffer {
  const blocks = files.flatMap(([name, content]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write('0', 156);
    header.write('ustar\0' + '00', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
