import { createHash } from 'node:crypto';

/** A Lua script for Redis, and the digest that it is asked for by. */
export interface StoreScript {
  readonly text: string;
  readonly digest: string;
}

export function storeScript(text: string): StoreScript {
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}
