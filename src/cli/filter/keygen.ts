import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { keyId, rawPublicKey } from '../../control/signing.ts';
import { Failure } from '../failure.ts';

interface KeygenFlags {
  readonly output: string;
}

const HELP = `
Keep the private key where modules are released and nowhere else. The public key goes to whoever runs them, as the
object that is printed, or with weir filter verify --key FILE.pub.`;

export function registerKeygen(filter: Command): void {
  filter
    .command('keygen')
    .description('make a pair of Ed25519 keys to sign modules with')
    .option(
      '-o, --output <file>',
      'where the private key goes; the public one beside it as FILE.pub',
      'signing.key',
    )
    .addHelpText('after', HELP)
    .action(async ({ output }: KeygenFlags) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      // The public one first: a private key whose public one is missing helps nobody.
      const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
      await writeNew(`${output}.pub`, publicPem.toString(), 0o644);
      await writeNew(output, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
      process.stderr.write(
        `key ${keyId(publicKey)}: the private key is in ${output}, the public one in ${output}.pub\n` +
          'To trust it, give this to weir:\n\n',
      );
      process.stdout.write(`apiVersion: policy.weir/v1alpha1
kind: TrustedKey
metadata: {name: ${keyName(output)}, namespace: default}
spec: {publicKey: ${rawPublicKey(publicKey).toString('base64')}}
`);
    });
}

/** Never over a key that is there: nothing brings it back. */
async function writeNew(file: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(file, text, { mode, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Failure(
        `${file} is there already, and a key is never overwritten. Name another file with -o FILE.`,
      );
    throw new Failure(`${file} cannot be written: ${message}`);
  }
}

function keyName(file: string): string {
  const name = file
    .replace(/^.*\//, '')
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'signing' : name;
}
