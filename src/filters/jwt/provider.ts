import { Bytes, view } from '@weir/filters-sdk/assembly';
import { Claim, ClaimHeader } from '@weir/filters-sdk/assembly/claims';
import { JsonKind, JsonValue } from '@weir/filters-sdk/assembly/json';
import { ClaimConsumers } from './consumers';
import { Key } from './keys';
import { RemoteKeys } from './remote-keys';

/** Algorithms of signatures that are checked with public keys and are in use. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** Who issues tokens, and what they must say. */
export class Provider {
  audiences: ArrayBuffer[] = [];
  algorithms: ArrayBuffer[] = [];
  claims: ClaimHeader[] = [];
  /** Names the consumer; null: no claim does. */
  consumer: Claim | null = null;
  readonly consumers: ClaimConsumers = new ClaimConsumers();
  skewMs: i64 = 0;
  requireExpiry: bool = true;
  /** Those that stand in the configuration, or that were fetched last. */
  keys: Key[] = [];
  /** Null: the keys stand in the configuration. */
  remote: RemoteKeys | null = null;

  constructor(
    public name: ArrayBuffer,
    public issuer: ArrayBuffer,
  ) {}

  allows(algorithm: ArrayBuffer): bool {
    return includes(this.algorithms, view(algorithm));
  }

  /** Whether a token is for one of the audiences: `aud` is one, or a list with one (RFC 7519, section 4.1.3). */
  takes(audience: JsonValue | null): bool {
    if (this.audiences.length == 0) return true;
    if (audience === null) return false;
    if (audience.kind == JsonKind.String) return includes(this.audiences, view(audience.text));
    if (audience.kind != JsonKind.Array) return false;
    let found = false;
    for (let i = 0; i < audience.items.length; i++) {
      const item = audience.items[i];
      if (item.kind != JsonKind.String) return false;
      if (includes(this.audiences, view(item.text))) found = true;
    }
    return found;
  }
}

function includes(list: ArrayBuffer[], wanted: Bytes): bool {
  for (let i = 0; i < list.length; i++) if (wanted.equals(list[i])) return true;
  return false;
}
