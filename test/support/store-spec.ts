import type { StoreSpec } from '../../src/runtime/snapshot.ts';

/** A Store of one server of this machine, as plain as can be. */
export function storeSpec(port: number, rest: Partial<StoreSpec> = {}): StoreSpec {
  return {
    ...{ name: 'shop/books', addresses: [{ host: '127.0.0.1', port }], sentinel: null, tls: null },
    ...{ username: null, password: null, db: 0, keyPrefix: 'weir' },
    ...{ deadlineMs: 20, silenceMs: 5000, replicas: 0, ...rest },
  };
}
