import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { FileReader } from '../../control/files.ts';
import { parseReference, type Reference } from '../../control/oci/reference.ts';
import { signaturesOf } from '../../control/oci/wasm-artifact.ts';
import { pullWasm } from '../../control/oci/wasm-image.ts';
import { parseSignatures, signatureFile } from '../../control/signing.ts';
import { Failure } from '../failure.ts';
import { openRegistry, type RegistryFlags } from './registry-flags.ts';

/** Signatures over a module, and where they were looked for. */
export interface FoundSignatures {
  readonly place: string;
  /** The signatures, or why there are none. */
  readonly found: readonly Uint8Array[] | string;
}

/** A module that a verb works on. */
export interface NamedModule {
  /** As it was called. */
  readonly name: string;
  readonly bytes: Buffer;
  /** sha256, hex. */
  readonly digest: string;
  readonly signatures: FoundSignatures;
  /** Of the manifest in the registry; null for files. */
  readonly manifestDigest: string | null;
}

/**
 * A file, or a reference to a registry where no file has this name and it names a host, or begins with oci://.
 *
 * @param signaturesIn a file with signatures in place of FILE.sig
 * @throws Failure
 */
export async function readModule(
  name: string,
  flags: RegistryFlags,
  signaturesIn?: string,
): Promise<NamedModule> {
  const reference = referenceOf(name);
  const module =
    reference === null ? await moduleInFile(name) : await moduleInRegistry(name, reference, flags);
  if (signaturesIn === undefined) return module;
  return { ...module, signatures: await signaturesOfFile(signaturesIn) };
}

function referenceOf(name: string): Reference | null {
  const isMeant =
    name.startsWith('oci://') ||
    (!existsSync(name) && /^[^/]+[.:][^/]*\//.test(name) && !/^\.{1,2}\//.test(name));
  return isMeant ? wantReference(name) : null;
}

/** @throws Failure */
export function wantReference(text: string): Reference {
  const reference = parseReference(text);
  if (typeof reference === 'string')
    throw new Failure(
      `${text} is no reference to a registry: ${reference}. One looks like registry.example.com/filters/risk:1.0`,
    );
  return reference;
}

async function moduleInFile(file: string): Promise<NamedModule> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Failure(`${file} does not exist. weir filter build writes a module.`);
    if (code === 'EISDIR') throw new Failure(`${file} is a folder; name the .wasm file in it.`);
    throw new Failure(`${file} cannot be read: ${message}`);
  }
  return {
    name: file,
    bytes,
    digest: sha256Of(bytes),
    signatures: await signaturesOfFile(`${file}.sig`),
    manifestDigest: null,
  };
}

async function signaturesOfFile(place: string): Promise<FoundSignatures> {
  return { place, found: await signatureFile(new FileReader(), place) };
}

async function moduleInRegistry(
  name: string,
  reference: Reference,
  flags: RegistryFlags,
): Promise<NamedModule> {
  const { bytes, digest, annotations } = await openRegistry(reference, flags, (registry) =>
    pullWasm(registry, reference),
  );
  const signatures = signaturesOf(annotations);
  return {
    name,
    bytes,
    digest: sha256Of(bytes),
    signatures: {
      place: `the annotations of ${name}`,
      found: signatures.length === 0 ? 'have none' : parseSignatures(Buffer.from(signatures.join('\n'))),
    },
    manifestDigest: digest,
  };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Replaces a file in one step. @throws Failure */
export async function replaceFile(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw new Failure(`${file} cannot be written: ${(error as Error).message}`);
  }
}
