import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** How a password is hashed with scrypt (RFC 7914). */
export interface PasswordHash {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallel: number;
  readonly salt: Buffer;
  readonly key: Buffer;
}

const MAX_MEMORY = 128 * 1024 * 1024;
const KEY_BYTES = 32;
/** One of the settings that OWASP's password storage cheat sheet calls the least: 32 MiB, some 200 ms. */
const DEFAULT = { cost: 2 ** 15, blockSize: 8, parallel: 3 } as const;
const SHAPE = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{11,128})\$([A-Za-z0-9+/=]{22,128})$/;

/** Reads `scrypt$N$r$p$salt$key`, the last two in base64; null where it is not one, or costs more than is allowed. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const [, cost, blockSize, parallel, salt, key] = SHAPE.exec(text) ?? [];
  if (salt === undefined || key === undefined) return null;
  const hash = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallel: Number(parallel),
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
  const powerOfTwo = hash.cost >= 1024 && (hash.cost & (hash.cost - 1)) === 0;
  const bounded = 128 * hash.cost * hash.blockSize <= MAX_MEMORY / 2;
  const whole = hash.salt.length >= 8 && hash.key.length >= 16;
  return powerOfTwo && bounded && hash.blockSize > 0 && hash.parallel > 0 && hash.parallel <= 4 && whole
    ? hash
    : null;
}

/** A hash of a password, as `parsePasswordHash` reads it. */
export async function hashPassword(password: Buffer): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, { ...DEFAULT, salt }, KEY_BYTES);
  const { cost, blockSize, parallel } = DEFAULT;
  return `scrypt$${cost}$${blockSize}$${parallel}$${salt.toString('base64')}$${key.toString('base64')}`;
}

/** Whether it is the password of the hash. The work is done by a thread of libuv's pool. */
export async function isPassword(password: Buffer, hash: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash, hash.key.length), hash.key);
}

function derive(password: Buffer, hash: Omit<PasswordHash, 'key'>, size: number): Promise<Buffer> {
  const { cost, blockSize, parallel, salt } = hash;
  const options = { cost, blockSize, parallelization: parallel, maxmem: MAX_MEMORY };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, size, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
