import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { keyId, parsePrivateKey, parsePublicKey } from '../../control/signing.ts';
import { Failure } from '../failure.ts';

/** A key with what people call it by. */
export interface NamedKey {
  readonly key: KeyObject;
  /** Of its public key. */
  readonly id: string;
  /** Where it is written. */
  readonly from: string;
}

/** @throws Failure also where others than its owner may read it */
export async function readPrivateKey(file: string): Promise<NamedKey> {
  const text = await readKeyText(file);
  const key = parsePrivateKey(text);
  if (typeof key === 'string') throw new Failure(`${file}: ${key}`);
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new Failure(
      `${file} is open to other users of the machine (mode ${octal}). Close it: chmod 600 ${file}`,
    );
  }
  return { key, id: keyId(createPublicKey(key)), from: file };
}

/** @throws Failure */
export async function readPublicKey(file: string): Promise<NamedKey> {
  const key = parsePublicKey(await readKeyText(file));
  if (typeof key === 'string') throw new Failure(`${file}: ${key}`);
  return { key, id: keyId(key), from: file };
}

async function readKeyText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Failure(`key file ${file} does not exist. weir filter keygen -o ${file} makes a new pair.`);
    throw new Failure(`key file ${file} cannot be read: ${message}`);
  }
}
