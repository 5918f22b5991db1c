import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { userCredentials } from '../../control/oci/credentials.ts';
import { printReference, type Reference } from '../../control/oci/reference.ts';
import { Registry } from '../../control/oci/registry.ts';
import { TransferError } from '../../control/oci/transfer.ts';
import { Failure } from '../failure.ts';

export interface RegistryFlags {
  readonly caFile?: string;
  readonly insecure?: boolean;
}

export const CREDENTIALS_HELP = `
Credentials are those that \`docker login\` left: $DOCKER_CONFIG/config.json or ~/.docker/config.json, credential
helpers included.`;

/** How a registry is reached, for each verb that talks to one. */
export function withRegistryFlags(command: Command): Command {
  return command
    .option('--ca-file <file>', 'PEM of the authorities that the registry is verified with')
    .option('--insecure', 'plain http; without it only registries on this machine are talked to so');
}

const HINTS: Record<TransferError['fault'], string> = {
  unreachable: '',
  denied: '\nLog in first: docker login REGISTRY; or write ~/.docker/config.json.',
  missing: '\nCheck path and tag.',
  wrong: '',
};

/** Does some work with a registry, and tells a person what kept it from its end. @throws Failure */
export async function openRegistry<T>(
  reference: Reference,
  flags: RegistryFlags,
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  const ca = flags.caFile === undefined ? null : await readAuthorities(flags.caFile);
  const registry = new Registry(reference, { credentials: userCredentials, ca, insecure: flags.insecure });
  try {
    return await work(registry);
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    const name = printReference(reference);
    const { message, fault } = error;
    throw new Failure(`${message.startsWith(name) ? '' : `${name}: `}${message}${HINTS[fault]}`);
  } finally {
    await registry.close();
  }
}

async function readAuthorities(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure(`--ca-file ${file} cannot be read: ${(error as Error).message}`);
  }
}
