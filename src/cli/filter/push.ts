import { basename } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { printReference } from '../../control/oci/reference.ts';
import { pushWasm, type Layout } from '../../control/oci/wasm-artifact.ts';
import { signDigest } from '../../control/signing.ts';
import { customText } from '../../runtime/wasm/custom-section.ts';
import { compileModule, ModuleError } from '../../runtime/wasm/module.ts';
import { Failure } from '../failure.ts';
import { readPrivateKey } from './key-file.ts';
import { readModule, wantReference, type FoundSignatures } from './module-file.ts';
import { CREDENTIALS_HELP, openRegistry, withRegistryFlags, type RegistryFlags } from './registry-flags.ts';

interface PushFlags extends RegistryFlags {
  readonly key?: string;
  readonly layout: Layout;
  readonly annotation?: Readonly<Record<string, string>>;
}

const HELP = `
Layouts:
  artifact   that of the CNCF: a layer application/wasm, config application/vnd.wasm.config.v0+json
  image      an image with the one file plugin.wasm, for Istio and others that read no artifacts

Both carry the module's digest, its signatures and the schema of its configuration as annotations. The same module
gives the same digest each time; SOURCE_DATE_EPOCH sets its date.
${CREDENTIALS_HELP}`;

export function registerPush(filter: Command): void {
  withRegistryFlags(
    filter
      .command('push')
      .description('push a module to a registry of OCI images')
      .argument('<file>', 'the .wasm file; signatures in FILE.sig go with it')
      .argument('<ref>', 'REGISTRY/PATH:TAG')
      .option('--key <file>', 'sign with this private key, in place of what FILE.sig has')
      .addOption(
        new Option('--layout <layout>', 'how it is laid out')
          .choices(['artifact', 'image'])
          .default('artifact'),
      )
      .option('--annotation <name=value>', 'a further annotation; may be given several times', collect),
  )
    .addHelpText('after', HELP)
    .action(async (file: string, target: string, flags: PushFlags) => {
      const reference = wantReference(target);
      if (reference.digest !== null)
        throw new Failure(
          `${target} names a digest, which follows from what is pushed. Name a tag: ${reference.repository}:TAG`,
        );
      const key = flags.key === undefined ? null : await readPrivateKey(flags.key);
      const { bytes, digest, signatures } = await readModule(file, {});
      await checkModule(file, bytes);
      const signed = key === null ? signaturesIn(signatures) : [signDigest(key.key, digest)];
      const artifact = {
        bytes,
        title: basename(file),
        signatures: signed,
        schema: customText(bytes, 'weir.schema'),
        annotations: flags.annotation ?? {},
        created: dateOf(process.env['SOURCE_DATE_EPOCH']),
      };
      const pushed = await openRegistry(reference, flags, (registry) =>
        pushWasm(registry, reference.tag, artifact, flags.layout),
      );
      const who =
        key !== null
          ? `signed by key ${key.id}`
          : signed.length === 0
            ? 'not signed'
            : `with ${signed.length} signature${signed.length === 1 ? '' : 's'} of ${signatures.place}`;
      process.stderr.write(`pushed ${file} (sha256 ${digest}), ${who}\n`);
      process.stdout.write(`${printReference({ ...reference, digest: pushed })}\n`);
    });
}

/** Milliseconds since 1970. */
function dateOf(epoch = '0'): number {
  if (/^\d{1,11}$/.test(epoch)) return Number(epoch) * 1000;
  throw new Failure(`SOURCE_DATE_EPOCH is "${epoch}", expected seconds since 1970`);
}

/** A registry is no place to find out that something is no filter. */
async function checkModule(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await compileModule(bytes);
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    throw new Failure(`${file} would not load: ${error.message}`);
  }
}

function signaturesIn({ place, found }: FoundSignatures): readonly Uint8Array[] {
  if (typeof found !== 'string') return found;
  if (found === 'does not exist') return [];
  throw new Failure(`${place} ${found}. Sign the module anew, or remove the file.`);
}

function collect(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('expected name=value');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
