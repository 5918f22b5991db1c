import { Bytes, encode, view } from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Consumer, readNotAfter } from '@weir/filters-sdk/assembly/consumer';
import { JwsKey } from '@weir/filters-sdk/assembly/jws';
import { hmacSha256 } from './mac';

/** Names of RFC 9421 section 3.3, and what JSON Web Signatures call the same. */
const ALGORITHMS = [
  'hmac-sha256',
  'ed25519',
  'ecdsa-p256-sha256',
  'ecdsa-p384-sha384',
  'rsa-pss-sha512',
  'rsa-v1_5-sha256',
];
const JWS = ['', 'EdDSA', 'ES256', 'ES384', 'PS512', 'RS256'];
const HMAC = 0;
/** As long as the digest (RFC 2104, section 3): a shorter one can be guessed. */
const LEAST_SECRET = 32;

export class Key {
  private jws: JwsKey;

  constructor(
    public id: ArrayBuffer,
    public consumer: Consumer,
    /** When it ends, as `isOver` takes it. */
    public notAfter: i64,
    private algorithm: i32,
    /** A secret, or a JWK as text. */
    private material: ArrayBuffer,
  ) {
    this.jws = new JwsKey(material);
  }

  /** @param named the parameter `alg` of the signature: it may be left out, but not say something else */
  isFor(named: Bytes | null): bool {
    return named === null || named.equals(ALGORITHMS[this.algorithm]);
  }

  /** @param signature as base64 */
  verify(base: Bytes, signature: Bytes): bool {
    const bytes = fromBase64(signature);
    if (bytes === null) return false;
    if (this.algorithm == HMAC) return bytes.equalsInConstantTime(hmacSha256(this.material, base));
    return this.jws.verify(encode(JWS[this.algorithm]), base, bytes);
  }
}

/** @param text the configuration, which offsets lead into */
export function readKeys(items: JsonValue[], text: ArrayBuffer): Key[] {
  const keys: Key[] = [];
  for (let i = 0; i < items.length; i++) {
    const config = Config.of(items[i]);
    const id = config.text('id');
    const consumer = Consumer.read(config, id);
    const notAfter = readNotAfter(config);
    const algorithm = config.choice('algorithm', ALGORITHMS);
    const material = algorithm == HMAC ? secretOf(config) : publicKeyOf(config, text);
    for (let k = 0; k < keys.length; k++)
      if (view(keys[k].id).equals(id)) config.fault('id', 'another key has this id');
    if (view(id).length == 0) config.fault('id', 'must not be empty');
    keys.push(new Key(id, consumer, notAfter, algorithm, material));
    config.end();
  }
  return keys;
}

function secretOf(config: Config): ArrayBuffer {
  const encoded = config.has('secretBase64');
  if (encoded == config.has('secret'))
    faultAt(config.value, 'needs exactly one of "secret" and "secretBase64"');
  let secret = encoded ? config.text('secretBase64') : config.text('secret');
  if (encoded) {
    const bytes = fromBase64(view(secret));
    if (bytes === null) {
      config.fault('secretBase64', 'is not base64');
      return secret;
    }
    secret = bytes.copy();
  }
  if (secret.byteLength < LEAST_SECRET)
    config.fault(encoded ? 'secretBase64' : 'secret', 'a secret has at least 32 bytes');
  return secret;
}

function publicKeyOf(config: Config, text: ArrayBuffer): ArrayBuffer {
  const key = config.required('jwk');
  if (key === null) return text;
  if (key.kind != JsonKind.Object || key.get('kty') === null) faultAt(key, 'expected a JSON Web Key');
  if (key.get('d') !== null || key.get('k') !== null)
    faultAt(key, 'expected a public key, this one has secrets');
  return view(text).slice(key.offset, key.end).copy();
}
