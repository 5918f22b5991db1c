import type { KeyObject } from 'node:crypto';
import type { Config, UsableObject } from './config.ts';
import { resolveBeside, type FileReader } from './files.ts';
import type { ModuleOrigin } from './module-origin.ts';
import { listNames } from './nearest.ts';
import { isSignedBy, parsePublicKey, signatureFile } from './signing.ts';

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

  /** The keys that can be used. */
  get keys(): { readonly object: Key; readonly key: KeyObject }[] {
    return [...this.#keys].flatMap(([object, key]) => (key === null ? [] : [{ object, key }]));
  }

  /** Whether the module must be signed. */
  areAskedFor(module: Module): boolean {
    return module.value.spec.signedBy !== undefined || this.#enforced(module).length > 0;
  }

  /**
   * @param digest sha256 of its bytes, hex
   * @returns false where a signature that is asked for is not there, which has been reported
   */
  async check(module: Module, origin: ModuleOrigin, digest: string): Promise<boolean> {
    const { signedBy, signature } = module.value.spec;
    const enforced = this.#enforced(module);
    const named = signedBy === undefined ? [] : this.#named(module, signedBy);
    if (named === null) return false;
    const groups = [named, enforced].filter((keys) => keys.length > 0);
    if (groups.length === 0) return true;

    const own = signature === undefined ? null : resolveBeside(module.document.file, signature.file);
    const path = own ?? origin.signaturePlace;
    const found = await (own === null ? origin.signatures() : signatureFile(this.#reader, own));
    const where = signedBy === undefined ? origin.path : ['spec', 'signedBy'];
    if (typeof found === 'string') {
      const keys = listNames([...new Set(groups.flat())].map(({ name }) => name));
      const message = `Module ${module.namespace}/${module.name} (sha256 ${digest}) must be signed by ${keys}: ${path} ${found}`;
      this.#config.report(module, 'WEIR1208', where, message);
      return false;
    }
    for (const keys of groups) {
      const usable = keys.flatMap((key) => this.#keys.get(key) ?? []);
      if (usable.some((key) => isSignedBy(key, digest, found))) continue;
      const which = keys.length === 1 ? 'by the key' : 'by any of the keys';
      const message = `Module ${module.namespace}/${module.name}: no signature in ${path} is one ${which} ${listNames(keys.map(({ name }) => name))} over sha256 ${digest}`;
      this.#config.report(module, 'WEIR1209', where, message);
      return false;
    }
    return true;
  }

  #enforced(module: Module): Key[] {
    return this.#config
      .all('TrustedKey')
      .filter((key) => key.namespace === module.namespace && key.value.spec.enforced);
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
}
