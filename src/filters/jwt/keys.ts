import { Bytes, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { JwsKey } from '@weir/filters-sdk/assembly/jws';

/** More than any provider publishes. */
const MOST_KEYS = 100;

/** One key of a set (RFC 7517). */
export class Key {
  constructor(
    private key: JwsKey,
    /** Null: it has no id. */
    private id: ArrayBuffer | null,
    /** The one algorithm that it is for; null: any that fits. */
    private algorithm: ArrayBuffer | null,
  ) {}

  /** Whether a token with this header may be signed by it. @param id null: the token names none */
  mayHaveSigned(algorithm: ArrayBuffer, id: ArrayBuffer | null): bool {
    const own = this.algorithm;
    if (own !== null && !view(own).equals(algorithm)) return false;
    const known = this.id;
    return id === null || (known !== null && view(known).equals(id));
  }

  /** @returns whether the signature is this key's, as the host says */
  verify(algorithm: ArrayBuffer, input: Bytes, signature: Bytes): bool {
    return this.key.verify(view(algorithm), input, signature);
  }
}

/**
 * Reads a JWK Set. Keys that cannot check signatures are passed over, as RFC 7517, section 5, asks: a provider may
 * publish some for other uses.
 *
 * @returns null where the text is no set
 */
export function readKeys(text: Bytes): Key[] | null {
  const set = readJson<Bytes>(text);
  if (set === null || set.kind != JsonKind.Object) return null;
  const list = set.get('keys');
  return list === null ? null : readKeyList(list, text.copy());
}

/** @param text that the list's offsets lead into */
export function readKeyList(list: JsonValue, text: ArrayBuffer): Key[] | null {
  if (list.kind != JsonKind.Array || list.items.length > MOST_KEYS) return null;
  const keys: Key[] = [];
  for (let i = 0; i < list.items.length; i++) {
    const key = readKey(list.items[i], view(text));
    if (key !== null) keys.push(key);
  }
  return keys;
}

function readKey(value: JsonValue, text: Bytes): Key | null {
  if (value.kind != JsonKind.Object) return null;
  const type = textOf(value, 'kty');
  if (type === null || view(type).equals('oct')) return null;
  const use = textOf(value, 'use');
  if (use !== null && !view(use).equals('sig')) return null;
  return new Key(
    new JwsKey(text.slice(value.offset, value.end).copy()),
    textOf(value, 'kid'),
    textOf(value, 'alg'),
  );
}

/** A member that is a string; null where it is not there, or something else. */
export function textOf(object: JsonValue, name: string): ArrayBuffer | null {
  const member = object.get(name);
  return member === null || member.kind != JsonKind.String ? null : member.text;
}
