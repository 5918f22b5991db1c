import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import { resolveBeside, type FileReader } from './files.ts';
import { listNames } from './nearest.ts';

const MAX_FILE_BYTES = 64 * 1024;
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;
/** SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410, section 4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

type Module = UsableObject<'Module'>;
type Key = UsableObject<'TrustedKey'>;

/**
 * Checks who signed modules. A signature is Ed25519 (RFC 8032) over the 32 bytes of the sha256 of the
 * module. It stands in a file beside the module: 64 bytes, or lines of base64 with one signature each.
 */
export class Signatures {
  readonly #config: Config;
  readonly #reader: FileReader;
  /** Null where the key cannot be used, which has been reported. */
  readonly #keys = new Map<Key, KeyObject | null>();

  private constructor(config: Config, reader: FileReader) {
    this.#config = config;
    this.#reader = reader;
  }

  /** Reads every TrustedKey; faults are reported in `config`. */
  static async load(config: Config, reader: FileReader): Promise<Signatures> {
    const signatures = new Signatures(config, reader);
    for (const key of config.all('TrustedKey')) signatures.#keys.set(key, await signatures.#readKey(key));
    return signatures;
  }

  /**
   * @param file of the module, as it was read
   * @param digest sha256 of its bytes, hex
   * @returns false where a signature that is asked for is not there, which has been reported
   */
  async check(module: Module, file: string, digest: string): Promise<boolean> {
    const { signedBy, signature } = module.value.spec;
    const enforced = this.#config
      .all('TrustedKey')
      .filter((key) => key.namespace === module.namespace && key.value.spec.enforced);
    const named = signedBy === undefined ? [] : this.#named(module, signedBy);
    if (named === null) return false;
    const groups = [named, enforced].filter((keys) => keys.length > 0);
    if (groups.length === 0) return true;

    const path =
      signature === undefined ? `${file}.sig` : resolveBeside(module.document.file, signature.file);
    const found = await this.#readSignatures(path);
    const where = signedBy === undefined ? ['spec', 'source', 'file'] : ['spec', 'signedBy'];
    if (typeof found === 'string') {
      const keys = listNames([...new Set(groups.flat())].map(({ name }) => name));
      const message = `Module ${module.namespace}/${module.name} (sha256 ${digest}) must be signed by ${keys}: ${path} ${found}`;
      this.#config.report(module, 'WEIR1208', where, message);
      return false;
    }
    const bytes = Buffer.from(digest, 'hex');
    for (const keys of groups) {
      const usable = keys.flatMap((key) => this.#keys.get(key) ?? []);
      if (usable.some((key) => found.some((each) => verify(null, bytes, key, each)))) continue;
      const which = keys.length === 1 ? 'by the key' : 'by any of the keys';
      const message = `Module ${module.namespace}/${module.name}: no signature in ${path} is one ${which} ${listNames(keys.map(({ name }) => name))} over sha256 ${digest}`;
      this.#config.report(module, 'WEIR1209', where, message);
      return false;
    }
    return true;
  }

  /** The keys of `signedBy`; null where one is not declared, which is reported. */
  #named(module: Module, names: readonly string[]): Key[] | null {
    const keys: Key[] = [];
    for (const [i, name] of names.entries()) {
      const key = this.#config.find('TrustedKey', module.namespace, name);
      if (key === undefined) {
        const wanted = { kind: 'TrustedKey', namespace: module.namespace, name } as const;
        this.#config.reportMissing(
          module,
          'WEIR2112',
          ['spec', 'signedBy', i],
          `Module "${module.name}":`,
          wanted,
        );
        return null;
      }
      // One with faults of its own verifies nothing.
      if (key.value !== null) keys.push(key as Key);
    }
    return keys.length > 0 ? keys : null;
  }

  async #readKey(key: Key): Promise<KeyObject | null> {
    const { publicKey, file } = key.value.spec;
    const at = ['spec', publicKey === undefined ? 'file' : 'publicKey'];
    let text = publicKey;
    if (file !== undefined) {
      const path = resolveBeside(key.document.file, file);
      const read = await this.#reader.text(path);
      if (typeof read === 'string') {
        this.#config.report(key, 'WEIR1210', at, `the key file ${path} ${read}`);
        return null;
      }
      ({ text } = read);
    }
    const made = parsePublicKey(text!);
    if (typeof made !== 'string') return made;
    this.#config.report(key, 'WEIR1210', at, `TrustedKey ${key.namespace}/${key.name}: ${made}`, {
      hideLine: true,
    });
    return null;
  }

  /** The signatures of a file, or why there are none. */
  async #readSignatures(path: string): Promise<Buffer[] | string> {
    const bytes = await this.#reader.bytes(path, MAX_FILE_BYTES);
    return typeof bytes === 'string' ? bytes : parseSignatures(bytes);
  }
}

/** The key, or what is wrong with the text. */
export function parsePublicKey(text: string): KeyObject | string {
  if (/PRIVATE KEY/.test(text)) return 'it is a private key; write the public one (openssl pkey -pubout)';
  let key: KeyObject;
  try {
    if (text.includes('-----BEGIN')) key = createPublicKey(text);
    else {
      const raw = decodeBase64(text.trim());
      if (raw?.length !== KEY_BYTES) return 'it is neither PEM nor base64 of 32 bytes';
      key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
    }
  } catch {
    return 'it cannot be read as a public key';
  }
  const { asymmetricKeyType: type } = key;
  return type === 'ed25519' ? key : `it is a key of type ${String(type)}, not ed25519`;
}

/** Signatures of a file's content, or why it has none. */
export function parseSignatures(bytes: Buffer): Buffer[] | string {
  if (bytes.length === SIGNATURE_BYTES) return [bytes];
  const lines = bytes
    .toString('latin1')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const signatures = lines.map(decodeBase64);
  const allRight = signatures.every((each) => each?.length === SIGNATURE_BYTES);
  return signatures.length > 0 && allRight
    ? (signatures as Buffer[])
    : 'is neither one signature of 64 bytes nor lines of base64 with one each';
}

/** Strict: Node itself skips what is no base64. */
function decodeBase64(text: string): Buffer | null {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
    ? Buffer.from(text, 'base64')
    : null;
}
