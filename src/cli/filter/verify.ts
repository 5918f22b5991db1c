import { InvalidArgumentError, type Command } from 'commander';
import { Config } from '../../control/config.ts';
import { formatDiagnostics, hasErrors } from '../../control/diagnostic.ts';
import { FileReader, listFiles } from '../../control/files.ts';
import { parseText } from '../../control/parse.ts';
import { Signatures } from '../../control/signatures.ts';
import { isSignedBy, keyId } from '../../control/signing.ts';
import { Failure } from '../failure.ts';
import { readPublicKey, type NamedKey } from './key-file.ts';
import { readModule } from './module-file.ts';
import { CREDENTIALS_HELP, withRegistryFlags, type RegistryFlags } from './registry-flags.ts';

interface VerifyFlags extends RegistryFlags {
  readonly key?: readonly string[];
  readonly trusted?: readonly string[];
  readonly namespace?: string;
  readonly signature?: string;
}

const HELP = `
Examples:
  weir filter verify risk.wasm --key release.key.pub
  weir filter verify registry.example.com/filters/risk:1.0 --trusted policies --namespace shop

One signature by one of the keys is enough. Exit status: 0 where there is one, else 1.
${CREDENTIALS_HELP}`;

export function registerVerify(filter: Command): void {
  withRegistryFlags(
    filter
      .command('verify')
      .description('say who signed a module, and refuse one that nobody trusted has signed')
      .argument('<module>', 'a .wasm file, or a reference to a registry')
      .option('--key <file...>', 'public keys: PEM, or base64 of 32 bytes')
      .option('--trusted <path...>', 'the TrustedKeys of a configuration: files and folders of YAML')
      .option('--namespace <name>', 'with --trusted: those of this namespace alone', parseName)
      .option(
        '--signature <file>',
        'the file with signatures (default: FILE.sig; in a registry, what the artifact carries)',
      ),
  )
    .addHelpText('after', HELP)
    .action(async (name: string, flags: VerifyFlags, command: Command) => {
      if (flags.key === undefined && flags.trusted === undefined)
        command.error('error: say whom you trust: --key FILE… or --trusted PATH…');
      const keys = [
        ...(await Promise.all((flags.key ?? []).map(readPublicKey))),
        ...(await trustedKeys(flags.trusted ?? [], flags.namespace)),
      ];
      const { digest, signatures } = await readModule(name, flags, flags.signature);
      const listed = keys.map(({ id, from }) => `  ${id}  ${from}`).join('\n');
      const { place, found } = signatures;
      if (typeof found === 'string')
        throw new Failure(
          `${name} (sha256 ${digest}) is not signed: ${place} ${found}. It would have to be signed by one of the keys\n${listed}`,
        );
      const signers = keys.filter(({ key }) => isSignedBy(key, digest, found));
      if (signers.length === 0) {
        const count = found.length === 1 ? 'The signature' : `None of the ${found.length} signatures`;
        throw new Failure(
          `${name} (sha256 ${digest}) is signed by no key that is trusted. ${count} in ${place} is ${found.length === 1 ? 'not ' : ''}one by\n${listed}\n` +
            'It was changed after it was signed, or somebody else signed it.',
        );
      }
      for (const { id, from } of signers)
        process.stdout.write(`${name}: sha256 ${digest} is signed by key ${id} (${from})\n`);
    });
}

/** The keys of a configuration, of which nothing else is looked at. @throws Failure where one cannot be used */
async function trustedKeys(paths: readonly string[], namespace: string | undefined): Promise<NamedKey[]> {
  if (paths.length === 0) return [];
  const reader = new FileReader();
  const { files, diagnostics } = await listFiles(paths);
  const documents = [];
  for (const file of files) {
    const read = await reader.text(file);
    if (typeof read === 'string') throw new Failure(`${file} ${read}`);
    const parsed = parseText(file, read.text);
    diagnostics.push(...parsed.diagnostics);
    documents.push(
      ...parsed.documents.filter(({ value }) => (value as { kind?: unknown } | null)?.kind === 'TrustedKey'),
    );
  }
  const config = new Config(documents);
  const signatures = await Signatures.load(config, reader);
  const faults = [...diagnostics, ...config.diagnostics];
  if (hasErrors(faults)) throw new Failure(formatDiagnostics(faults, { consequence: null }).trimEnd());
  const keys = signatures.keys.filter(
    ({ object }) => namespace === undefined || object.namespace === namespace,
  );
  if (keys.length === 0) {
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    throw new Failure(`${paths.join(' ')} declares no TrustedKey${where}. weir filter keygen prints one.`);
  }
  return keys.map(({ object, key }) => ({
    key,
    id: keyId(key),
    from: `TrustedKey ${object.namespace}/${object.name}, ${object.document.position()}`,
  }));
}

function parseName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('expected the name of a namespace');
}
