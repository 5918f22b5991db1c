import { createHash } from 'node:crypto';
import type { CredentialSource, Credentials } from './credentials.ts';
import { hostOf, isLoopbackHost, printReference, type Reference } from './reference.ts';
import {
  expectStatus,
  Transfer,
  TransferError,
  type TransferAnswer,
  type TransferRequest,
} from './transfer.ts';

export const MANIFEST_TYPES = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

const MANIFEST_BYTES = 4 * 1024 * 1024;
/** Bodies of answers that say only whether it went well. */
const SMALL_BYTES = 256 * 1024;

export interface Manifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  /** `sha256:` and hex, of the bytes. */
  readonly digest: string;
}

export interface RegistryOptions {
  readonly credentials: CredentialSource;
  /** PEM of the authorities to trust. Null: those of the system. */
  readonly ca?: string | null;
  /** Plain http. Default: for this machine itself, where no authorities are given. */
  readonly insecure?: boolean | undefined;
  /** Milliseconds before the second attempt. */
  readonly backoffMs?: number;
}

/**
 * One repository of a registry, by the OCI distribution specification 1.1.
 *
 * Everything that is read by digest is compared with it. Methods throw TransferError.
 */
export class Registry {
  readonly #reference: Reference;
  readonly #credentials: CredentialSource;
  readonly #transfer: Transfer;
  readonly #base: URL;
  #authorization: string | null = null;

  constructor(reference: Reference, options: RegistryOptions) {
    const host = hostOf(reference);
    const { ca = null, insecure = ca === null && isLoopbackHost(host) } = options;
    this.#reference = reference;
    this.#credentials = options.credentials;
    const { backoffMs } = options;
    this.#transfer = new Transfer({ ca, ...(backoffMs === undefined ? {} : { backoffMs }) });
    this.#base = new URL(`${insecure ? 'http' : 'https'}://${host}/v2/${reference.repository}/`);
  }

  close(): Promise<void> {
    return this.#transfer.close();
  }

  /** The digest that a tag stands for now. */
  async resolve(tag: string): Promise<string> {
    const answer = await this.#send({ ...this.#manifestRequest(tag), method: 'HEAD' });
    expectStatus(answer, [200], this.#name(tag));
    const digest = answer.headers['docker-content-digest'];
    // Optional in the specification: its bytes say it, too.
    return typeof digest === 'string' ? digest : (await this.manifest(tag)).digest;
  }

  /** @param which a tag, or a digest */
  async manifest(which: string): Promise<Manifest> {
    const answer = await this.#send(this.#manifestRequest(which));
    expectStatus(answer, [200], this.#name(which));
    const { body: bytes } = answer;
    const digest = digestOfBytes(bytes);
    if (which.startsWith('sha256:') && which !== digest) throw differs(`manifest ${which}`, digest);
    return { bytes, digest, mediaType: mediaTypeOf(answer, bytes) };
  }

  /** @param size as its descriptor says; other sizes are refused before they are read */
  async blob(digest: string, size: number): Promise<Buffer> {
    const answer = await this.#send({ method: 'GET', url: this.#at(`blobs/${digest}`), limit: size });
    expectStatus(answer, [200], `blob ${digest}`);
    const found = digestOfBytes(answer.body);
    if (found !== digest) throw differs(`blob ${digest}`, found);
    return answer.body;
  }

  /** Stores bytes where they are not there yet. */
  async putBlob(bytes: Uint8Array): Promise<string> {
    const digest = digestOfBytes(bytes);
    const what = `push of blob ${digest}`;
    const scope = 'pull,push';
    const there = await this.#send({ method: 'HEAD', url: this.#at(`blobs/${digest}`), limit: 0 }, scope);
    if (there.status === 200) return digest;
    const start = await this.#send(
      { method: 'POST', url: this.#at('blobs/uploads/'), body: new Uint8Array(), limit: SMALL_BYTES },
      scope,
    );
    expectStatus(start, [202], what);
    const { location } = start.headers;
    if (typeof location !== 'string' || !URL.canParse(location, start.url.href))
      throw new TransferError('wrong', `${what}: the registry names no place for it`);
    const url = new URL(location, start.url);
    url.searchParams.set('digest', digest);
    if (url.origin !== this.#base.origin)
      throw new TransferError('wrong', `${what}: the registry names a place at ${url.origin}`);
    const headers = { 'content-type': 'application/octet-stream' };
    expectStatus(
      await this.#send({ method: 'PUT', url, headers, body: bytes, limit: SMALL_BYTES }, scope),
      [201],
      what,
    );
    return digest;
  }

  async putManifest(which: string, mediaType: string, bytes: Uint8Array): Promise<string> {
    const url = this.#at(`manifests/${which}`);
    const headers = { 'content-type': mediaType };
    const answer = await this.#send(
      { method: 'PUT', url, headers, body: bytes, limit: SMALL_BYTES },
      'pull,push',
    );
    expectStatus(answer, [201], `push of ${this.#name(which)}`);
    return digestOfBytes(bytes);
  }

  #manifestRequest(which: string): TransferRequest {
    const headers = { accept: Object.values(MANIFEST_TYPES).join(', ') };
    return { method: 'GET', url: this.#at(`manifests/${which}`), headers, limit: MANIFEST_BYTES };
  }

  #at(path: string): URL {
    return new URL(path, this.#base);
  }

  #name(which: string): string {
    const isDigest = which.startsWith('sha256:');
    return printReference({
      ...this.#reference,
      tag: isDigest ? null : which,
      digest: isDigest ? which : null,
    });
  }

  /** Sends once as it is, and again as the registry asks for it. */
  async #send(wanted: TransferRequest, actions = 'pull'): Promise<TransferAnswer> {
    const answer = await this.#transfer.send(this.#authorized(wanted));
    if (answer.status !== 401) return answer;
    const credentials = await this.#lookUp();
    this.#authorization = await this.#answerTo(answer, credentials, actions);
    const again = await this.#transfer.send(this.#authorized(wanted));
    if (again.status === 401 || again.status === 403) {
      const { registry } = this.#reference;
      const who =
        credentials === null
          ? 'there are no credentials for it'
          : `it does not let "${credentials.username}" do this (${actions})`;
      throw new TransferError('denied', `${registry} asks for credentials: ${who}`);
    }
    return again;
  }

  async #lookUp(): Promise<Credentials | null> {
    try {
      return await this.#credentials(this.#reference.registry);
    } catch (error) {
      throw new TransferError(
        'denied',
        `credentials for ${this.#reference.registry}: ${(error as Error).message}`,
      );
    }
  }

  #authorized(wanted: TransferRequest): TransferRequest {
    if (this.#authorization === null) return wanted;
    return { ...wanted, headers: { ...wanted.headers, authorization: this.#authorization } };
  }

  /** The Authorization field that a challenge asks for. */
  async #answerTo(
    answer: TransferAnswer,
    credentials: Credentials | null,
    actions: string,
  ): Promise<string | null> {
    const challenge = parseChallenge(String(answer.headers['www-authenticate'] ?? ''));
    if (challenge.scheme === 'basic') return credentials === null ? null : basic(credentials);
    if (challenge.scheme !== 'bearer') return null;
    const { realm = '', service = '' } = challenge.parameters;
    const url = URL.canParse(realm) ? new URL(realm) : null;
    const isSafe =
      url?.protocol === 'https:' || (url?.protocol === 'http:' && this.#base.protocol === 'http:');
    if (url === null || !isSafe)
      throw new TransferError('wrong', `${this.#reference.registry} names no https place to ask for a token`);
    const scope = challenge.parameters['scope'] ?? `repository:${this.#reference.repository}:${actions}`;
    const token = await this.#transfer.send(tokenRequest(url, { service, scope }, credentials));
    const what = `token for ${this.#reference.registry}`;
    expectStatus(token, [200], what);
    try {
      const { token: plain, access_token: access } = JSON.parse(token.body.toString('utf8')) as Record<
        string,
        unknown
      >;
      const text = plain ?? access;
      if (typeof text === 'string' && /^[\x21-\x7e]+$/.test(text)) return `Bearer ${text}`;
    } catch {
      // Told below.
    }
    throw new TransferError('wrong', `${what}: ${url.host} answers none`);
  }
}

export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function differs(what: string, found: string): TransferError {
  return new TransferError('wrong', `${what} is not what the registry sends: that is ${found}`);
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** By the token specification of the distribution registry; a refresh token goes by OAuth 2. */
function tokenRequest(
  realm: URL,
  asked: { service: string; scope: string },
  credentials: Credentials | null,
): TransferRequest {
  if (credentials?.isToken === true) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.password,
      client_id: 'weir',
      ...asked,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: Buffer.from(form.toString()), limit: SMALL_BYTES };
  }
  const url = new URL(realm);
  if (asked.service !== '') url.searchParams.set('service', asked.service);
  url.searchParams.set('scope', asked.scope);
  const headers = credentials === null ? {} : { authorization: basic(credentials) };
  return { method: 'GET', url, headers, limit: SMALL_BYTES };
}

/** RFC 9110, section 11.6.1, as far as registries use it: one challenge. */
function parseChallenge(text: string): { scheme: string; parameters: Record<string, string> } {
  const scheme = /^\s*([A-Za-z]+)/.exec(text)?.[1]?.toLowerCase() ?? '';
  const parameters: Record<string, string> = {};
  for (const [, name, quoted, plain] of text.matchAll(/([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g))
    parameters[name!.toLowerCase()] = (quoted ?? plain!).replace(/\\(.)/g, '$1');
  return { scheme, parameters };
}

/** The field of the answer, or what the manifest says of itself. */
function mediaTypeOf(answer: TransferAnswer, bytes: Buffer): string {
  const declared = String(answer.headers['content-type'] ?? '')
    .split(';')[0]!
    .trim();
  if ((Object.values(MANIFEST_TYPES) as string[]).includes(declared)) return declared;
  try {
    const { mediaType } = JSON.parse(bytes.toString('utf8')) as { mediaType?: unknown };
    return typeof mediaType === 'string' ? mediaType : declared;
  } catch {
    return declared;
  }
}
