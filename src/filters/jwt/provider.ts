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

const PREFIX = 'application/';

/** Who issues tokens, and what they must say. */
export class Provider {
  audiences: ArrayBuffer[] = [];
  /** What `typ` may say, without `application/`; none: it is not looked at. */
  types: ArrayBuffer[] = [];
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

  /** Whether a token is of a kind that counts (RFC 8725, section 3.11). Names are those of media types (RFC 7515, section 4.1.9). */
  takesType(type: JsonValue | null): bool {
    if (this.types.length == 0) return true;
    if (type === null || type.kind != JsonKind.String) return false;
    const name = shortType(view(type.text));
    for (let i = 0; i < this.types.length; i++) if (name.equalsIgnoreCase(this.types[i])) return true;
    return false;
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

/** `at+jwt` of `application/at+jwt`. */
export function shortType(type: Bytes): Bytes {
  const isLong = type.length > PREFIX.length && type.slice(0, PREFIX.length).equalsIgnoreCase(PREFIX);
  return isLong ? type.slice(PREFIX.length) : type;
}

function includes(list: ArrayBuffer[], wanted: Bytes): bool {
  for (let i = 0; i < list.length; i++) if (wanted.equals(list[i])) return true;
  return false;
}
