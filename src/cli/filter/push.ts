import { basename } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { printReference } from '../../control/oci/reference.ts';
import { pushWasm } from '../../control/oci/wasm-artifact.ts';
import { signDigest } from '../../control/signing.ts';
import { customText } from '../../runtime/wasm/custom-section.ts';
import { compileModule, ModuleError } from '../../runtime/wasm/module.ts';
import { Failure } from '../failure.ts';
import { readPrivateKey } from './key-file.ts';
import { readModule, wantReference, type FoundSignatures } from './module-file.ts';
import { CREDENTIALS_HELP, openRegistry, withRegistryFlags, type RegistryFlags } from './registry-flags.ts';

interface PushFlags extends RegistryFlags {
  readonly key?: string;
  readonly annotation: Readonly<Record<string, string>>;
}

const HELP = `
What is written is the artifact of the CNCF (application/wasm with application/vnd.wasm.config.v0+json), which weir,
Istio, wasmtime's tools and ORAS read. It carries the module's digest, its signatures and the schema of its
configuration as annotations. The same module gives the same digest each time; SOURCE_DATE_EPOCH sets its date.
${CREDENTIALS_HELP}`;

export function registerPush(filter: Command): void {
  withRegistryFlags(
    filter
      .command('push')
      .description('push a module to a registry of OCI images')
      .argument('<file>', 'the .wasm file; signatures in FILE.sig go with it')
      .argument('<ref>', 'REGISTRY/PATH:TAG')
      .option('--key <file>', 'sign with this private key, in place of what FILE.sig has')
      .option('--annotation <name=value>', 'a further annotation; may be given several times', collect, {}),
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
      const pushed = await openRegistry(reference, flags, (registry) =>
        pushWasm(registry, reference.tag, {
          bytes,
          title: basename(file),
          signatures: signed,
          schema: customText(bytes, 'weir.schema'),
          annotations: flags.annotation,
          created: Number(process.env['SOURCE_DATE_EPOCH'] ?? 0) * 1000,
        }),
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

function collect(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('expected name=value');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
