import { InvalidArgumentError, type Command } from 'commander';
import { DIGEST, printReference } from '../../control/oci/reference.ts';
import { Failure } from '../failure.ts';
import { readModule, replaceFile, wantReference } from './module-file.ts';
import { CREDENTIALS_HELP, withRegistryFlags, type RegistryFlags } from './registry-flags.ts';

interface PullFlags extends RegistryFlags {
  readonly output: string;
  readonly digest?: string;
}

const HELP = `
Reads artifacts of the CNCF, the older ones for Envoy (application/vnd.module.wasm.content.layer.v1+wasm), images
with plugin.wasm in a layer, and indexes of these. Signatures go to FILE.sig.
${CREDENTIALS_HELP}`;

export function registerPull(filter: Command): void {
  withRegistryFlags(
    filter
      .command('pull')
      .description('pull a module from a registry of OCI images')
      .argument('<ref>', 'REGISTRY/PATH:TAG, or @sha256:…')
      .requiredOption('-o, --output <file>', 'where the module goes')
      .option(
        '--digest <sha256:…>',
        'refuse another: the digest of the artifact, or that of the module',
        parseDigest,
      ),
  )
    .addHelpText('after', HELP)
    .action(async (target: string, { output, digest: wanted, ...flags }: PullFlags) => {
      const reference = wantReference(target);
      const name = `oci://${printReference(reference)}`;
      const { bytes, digest, manifestDigest, signatures } = await readModule(name, flags);
      if (wanted !== undefined && wanted !== manifestDigest && wanted !== `sha256:${digest}`)
        throw new Failure(
          `${target} is not ${wanted}: the artifact is ${String(manifestDigest)}, its module sha256:${digest}. Nothing was written.`,
        );
      const { found } = signatures;
      await replaceFile(output, bytes);
      const signed = typeof found === 'string' ? [] : found;
      if (signed.length > 0)
        await replaceFile(
          `${output}.sig`,
          signed.map((each) => `${Buffer.from(each).toString('base64')}\n`).join(''),
        );
      const beside = signed.length === 0 ? 'it is not signed' : `signatures in ${output}.sig`;
      process.stdout.write(`${output}: ${bytes.length} bytes, sha256 ${digest}, ${beside}\n`);
      process.stderr.write(`from ${printReference({ ...reference, digest: manifestDigest })}\n`);
    });
}

function parseDigest(text: string): string {
  if (DIGEST.test(text)) return text;
  throw new InvalidArgumentError('expected sha256: and 64 lower-case hex digits');
}
