import type { Command } from 'commander';
import { signDigest } from '../../control/signing.ts';
import { Failure } from '../failure.ts';
import { readPrivateKey } from './key-file.ts';
import { readModule, replaceFile } from './module-file.ts';

interface SignFlags {
  readonly key: string;
  readonly output?: string;
  readonly add: boolean;
}

const HELP = `
The signature is Ed25519 over the 32 bytes of the module's sha256, in base64, a line each. A Module asks for it with
signedBy, which names a TrustedKey.`;

export function registerSign(filter: Command): void {
  filter
    .command('sign')
    .description('sign a module')
    .argument('<file>', 'the .wasm file')
    .requiredOption('--key <file>', 'the private key (weir filter keygen makes one)')
    .option('-o, --output <file>', 'where the signature goes (default: FILE.sig)')
    .option('--add', 'keep the signatures that are there: those of other keys over the same module', false)
    .addHelpText('after', HELP)
    .action(async (file: string, { key: keyFile, output, add }: SignFlags) => {
      const key = await readPrivateKey(keyFile);
      const target = output ?? `${file}.sig`;
      const { digest, signatures } = await readModule(file, {}, target);
      const own = signDigest(key.key, digest);
      const kept = add ? othersOf(signatures.found, own, target) : [];
      const lines = [...kept, own].map((each) => `${Buffer.from(each).toString('base64')}\n`);
      await replaceFile(target, lines.join(''));
      const beside = kept.length === 0 ? '' : `, beside ${kept.length} that were there`;
      process.stdout.write(`${target}: signed sha256 ${digest} by key ${key.id}${beside}\n`);
    });
}

function othersOf(found: readonly Uint8Array[] | string, own: Uint8Array, file: string): Uint8Array[] {
  if (typeof found !== 'string') return found.filter((each) => Buffer.compare(each, own) !== 0);
  if (found === 'does not exist') return [];
  throw new Failure(`${file} ${found}. Leave --add out to replace it.`);
}
