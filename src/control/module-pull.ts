import { createHash } from 'node:crypto';
import { MODULE_BYTES } from '../runtime/wasm/limits.ts';
import type { CachedModule, ModuleCache } from './module-cache.ts';
import type { CredentialSource } from './oci/credentials.ts';
import { parseReference, printReference, type Reference } from './oci/reference.ts';
import { Registry } from './oci/registry.ts';
import { ArchiveError } from './oci/tar.ts';
import { expectStatus, Transfer, TransferError } from './oci/transfer.ts';
import { signaturesOf } from './oci/wasm-artifact.ts';
import { moduleOfArchive, pullWasm } from './oci/wasm-image.ts';

export interface PullRequest {
  /** Modules of one namespace are not lent to another: it may have no right to them. */
  readonly namespace: string;
  readonly ca: string | null;
  readonly policy: 'IfNotPresent' | 'Always' | undefined;
  /** That the bytes must have, hex. */
  readonly sha256: string | undefined;
  /** Whether signatures are needed. */
  readonly signed: boolean;
  readonly from:
    | { readonly kind: 'http'; readonly url: string }
    | {
        readonly kind: 'oci';
        readonly ref: string;
        readonly credentials: CredentialSource;
        readonly insecure: boolean | undefined;
      };
}

export interface Pulled {
  readonly module: CachedModule;
  /** Why it was not asked for again, where that was tried. */
  readonly stale: string | null;
  /** Puts it in the place of the one before, once it is known to be right: one that is refused is asked for again. */
  keep(): Promise<void>;
}

const SIGNATURE_BYTES = 64 * 1024;
const NOTHING = (): Promise<void> => Promise.resolve();

/** Where something is found that has changed since, or nothing is. */
interface Remote {
  readonly key: string;
  /** What it stands for can never change. */
  readonly isFixed: boolean;
  /** Whether to ask for changes where nothing is written. */
  readonly asksAlways: boolean;
  /** @returns `before` where it has not changed */
  pull(before: CachedModule | null): Promise<CachedModule>;
}

/** Gets modules from registries and web servers, through a cache. */
export class ModulePuller {
  readonly #cache: ModuleCache;
  readonly #offline: boolean;

  /** @param offline true: only what the cache has */
  constructor(cache: ModuleCache, offline: boolean) {
    this.#cache = cache;
    this.#offline = offline;
  }

  /** @returns null where it would have to be asked for, and that is not wanted. @throws TransferError */
  async pull(request: PullRequest): Promise<Pulled | null> {
    const remote =
      request.from.kind === 'oci' ? ociRemote(request, request.from) : httpRemote(request, request.from.url);
    const before = await this.#cache.get(remote.key);
    const policy = request.policy ?? (remote.asksAlways ? 'Always' : 'IfNotPresent');
    const fits =
      before !== null &&
      (request.sha256 === undefined || request.sha256 === before.sha256) &&
      // A signature may have been added since.
      (!request.signed || (before.signatures?.length ?? 0) > 0);
    const isPinned = remote.isFixed || (request.sha256 !== undefined && policy !== 'Always');
    if (fits && (isPinned || policy === 'IfNotPresent' || this.#offline))
      return { module: before, stale: null, keep: NOTHING };
    if (this.#offline) return null;
    try {
      const module = await remote.pull(fits ? before : null);
      const keep = module === before ? NOTHING : () => this.#cache.put(remote.key, module);
      return { module, stale: null, keep };
    } catch (error) {
      if (fits && error instanceof TransferError && error.fault === 'unreachable')
        return { module: before, stale: error.message, keep: NOTHING };
      throw error;
    }
  }
}

function ociRemote(
  { namespace, ca }: PullRequest,
  { ref, credentials, insecure }: Extract<PullRequest['from'], { kind: 'oci' }>,
): Remote {
  // The schema has refused what is no reference.
  const reference = parseReference(ref) as Reference;
  return {
    key: `oci ${namespace} ${printReference(reference)}`,
    isFixed: reference.digest !== null,
    asksAlways: reference.tag === 'latest',
    async pull(before) {
      const registry = new Registry(reference, { credentials, ca, insecure });
      try {
        const { digest, tag } = reference;
        if (before !== null && digest === null && (await registry.resolve(tag!)) === before.tag)
          return before;
        const image = await pullWasm(registry, reference);
        return made(image.bytes, image.digest, signaturesOf(image.annotations));
      } finally {
        await registry.close();
      }
    },
  };
}

function httpRemote({ namespace, ca, signed }: PullRequest, text: string): Remote {
  const url = new URL(text);
  return {
    key: `http ${namespace} ${url.href}`,
    isFixed: false,
    asksAlways: false,
    async pull(before) {
      const transfer = new Transfer({ ca });
      try {
        const headers = before === null || before.tag === '' ? {} : { 'if-none-match': before.tag };
        const answer = await transfer.send({ method: 'GET', url, headers, limit: MODULE_BYTES });
        if (answer.status === 304 && before !== null) return before;
        expectStatus(answer, [200], url.href);
        const bytes = await unpacked(answer.body, url);
        return made(
          bytes,
          String(answer.headers['etag'] ?? ''),
          signed ? await readSignatures(transfer, url) : null,
        );
      } finally {
        await transfer.close();
      }
    },
  };
}

async function unpacked(body: Buffer, url: URL): Promise<Buffer> {
  let why = 'the archive has no plugin.wasm';
  try {
    const module = await moduleOfArchive(body);
    if (module !== null) return module;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    why = error.message;
  }
  throw new TransferError('wrong', `${url.href}: ${why}`);
}

/** The file beside the module, as for modules in files; none where the server has none. */
async function readSignatures(transfer: Transfer, url: URL): Promise<string[]> {
  const beside = new URL(url);
  beside.pathname += '.sig';
  const answer = await transfer.send({ method: 'GET', url: beside, limit: SIGNATURE_BYTES });
  if (answer.status === 404 || answer.status === 410) return [];
  expectStatus(answer, [200], beside.href);
  return answer.body.length === 64
    ? [answer.body.toString('base64')]
    : answer.body
        .toString('latin1')
        .split(/\s+/)
        .filter((line) => line !== '');
}

function made(bytes: Buffer, tag: string, signatures: readonly string[] | null): CachedModule {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { bytes, sha256, tag, signatures, pulledAt: Date.now() };
}
