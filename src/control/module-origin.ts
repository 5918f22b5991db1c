import type { Config, UsableObject } from './config.ts';
import type { Path } from './document.ts';
import { readBundle } from './authorities.ts';
import { resolveBeside, type FileReader } from './files.ts';
import type { ModulePuller, Pulled, PullRequest } from './module-pull.ts';
import { storedCredentials, userCredentials, type CredentialSource } from './oci/credentials.ts';
import { TransferError } from './oci/transfer.ts';
import { findSecret, secretValue } from './secrets.ts';
import { parseSignatures, signatureFile } from './signing.ts';

export const MAX_MODULE_BYTES = 8 * 1024 * 1024;

type Module = UsableObject<'Module'>;

/** The bytes of a Module, and what its messages need to say where they come from. */
export interface ModuleOrigin {
  readonly bytes: Buffer;
  /** As people call it: a path, a URL, a reference. */
  readonly name: string;
  /** The field that names it. */
  readonly path: Path;
  /** A file of this machine that the bytes stand in; null where they came over the network. */
  readonly file: string | null;
  /** Where its signatures are looked for. */
  readonly signaturePlace: string;
  /** The signatures, or why there are none. */
  signatures(): Promise<Buffer[] | string>;
  /** The bytes are right: they can be used again where the network cannot. */
  keep(): Promise<void>;
}

/** @returns null where there are no bytes, which is reported */
export async function openOrigin(
  config: Config,
  module: Module,
  reader: FileReader,
  puller: ModulePuller,
  signed: boolean,
): Promise<ModuleOrigin | null> {
  const { file } = module.value.spec.source;
  return file === undefined
    ? pulledOrigin(config, module, reader, puller, signed)
    : fileOrigin(config, module, reader, file);
}

async function fileOrigin(
  config: Config,
  module: Module,
  reader: FileReader,
  path: string,
): Promise<ModuleOrigin | null> {
  const file = resolveBeside(module.document.file, path);
  const at = ['spec', 'source', 'file'];
  const bytes = await reader.bytes(file, MAX_MODULE_BYTES);
  if (typeof bytes === 'string') {
    config.report(module, 'WEIR1201', at, `module file ${file} ${bytes}`);
    return null;
  }
  const signaturePlace = `${file}.sig`;
  return {
    bytes,
    name: file,
    path: at,
    file,
    signaturePlace,
    signatures: () => signatureFile(reader, signaturePlace),
    keep: () => Promise.resolve(),
  };
}

async function pulledOrigin(
  config: Config,
  module: Module,
  reader: FileReader,
  puller: ModulePuller,
  signed: boolean,
): Promise<ModuleOrigin | null> {
  // A server is not asked by half of what was written.
  if (!module.isWhole) return null;
  const { source, sha256 } = module.value.spec;
  const { http, oci } = source;
  const { pullPolicy, caBundle } = (oci ?? http)!;
  const kind = oci === undefined ? 'http' : 'oci';
  const base = ['spec', 'source', kind];
  const at = [...base, oci === undefined ? 'url' : 'ref'];
  const name = oci?.ref ?? http!.url;
  const ca =
    caBundle === undefined ? null : await readBundle(config, module, [...base, 'caBundle'], caBundle, reader);
  if (ca === null && caBundle !== undefined) return null;
  let from: PullRequest['from'];
  if (oci === undefined) from = { kind: 'http', url: name };
  else {
    const credentials =
      oci.pullSecret === undefined ? userCredentials : credentialsOf(config, module, oci.pullSecret.name);
    if (credentials === null) return null;
    from = { kind: 'oci', ref: name, credentials, insecure: oci.insecure };
  }
  let pulled: Pulled | null;
  try {
    pulled = await puller.pull({ namespace: module.namespace, ca, policy: pullPolicy, sha256, signed, from });
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    config.report(
      module,
      'WEIR1220',
      at,
      `Module ${module.namespace}/${module.name} cannot be pulled: ${error.message}`,
      {
        hint: HINTS[error.fault],
      },
    );
    return null;
  }
  if (pulled === null) {
    config.report(module, 'WEIR3021', at, `${name} was not pulled, since the network is not to be used`, {
      severity: 'warning',
    });
    return null;
  }
  if (pulled.stale !== null) {
    const since = new Date(pulled.module.pulledAt).toISOString();
    const message = `${name} cannot be asked for again, so the one of ${since} (sha256 ${pulled.module.sha256}) is used: ${pulled.stale}`;
    config.report(module, 'WEIR3020', at, message, { severity: 'warning' });
  }
  const { keep } = pulled;
  const { bytes, signatures } = pulled.module;
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    name,
    path: at,
    file: null,
    signaturePlace: kind === 'oci' ? `the annotations of ${name}` : `${name}.sig`,
    signatures: () =>
      Promise.resolve(
        signatures === null || signatures.length === 0
          ? 'has none'
          : parseSignatures(Buffer.from(signatures.join('\n'))),
      ),
    keep,
  };
}

const HINTS: Record<TransferError['fault'], string | undefined> = {
  unreachable: undefined,
  denied: 'name a Secret under pullSecret, or log in with `docker login` as the user that runs weir',
  missing: 'check path and tag, and that it was pushed: weir filter push FILE REF',
  wrong: undefined,
};

/** Null where there are none that can be used, which is reported. */
function credentialsOf(config: Config, module: Module, name: string): CredentialSource | null {
  const path = ['spec', 'source', 'oci', 'pullSecret', 'name'];
  const secret = findSecret(config, module, name, path);
  if (secret === null) return null;
  const dockerConfig = secretValue(secret, '.dockerconfigjson');
  if (dockerConfig !== null) {
    const made = storedCredentials(dockerConfig.text);
    if (typeof made !== 'string') return made;
    config.report(secret, 'WEIR2114', dockerConfig.path, made);
    return null;
  }
  const username = secretValue(secret, 'username');
  const password = secretValue(secret, 'password');
  if (username === null || password === null) {
    const message = `Secret ${secret.namespace}/${secret.name} has neither .dockerconfigjson nor username and password`;
    config.report(module, 'WEIR2114', path, message);
    return null;
  }
  const found = { username: username.text, password: password.text.trimEnd(), isToken: false };
  return () => Promise.resolve(found);
}
