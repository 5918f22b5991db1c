// Signatures of JSON Web Signatures (RFC 7515). Weir checks them by `weir.verify_jws`. Elsewhere `verify_signature` does
// it where it can: it takes keys as SubjectPublicKeyInfo and signatures of ECDSA in DER, so both are written here.
import { decodeBase64Url } from './base64url';
import { Bytes, view } from './bytes';
import { callForeign, foreignUnknown } from './foreign';
import { JsonKind, JsonValue, readJson } from './json';
import { logWarn } from './log';
import { addField } from './protobuf';
import { verifySignature } from './signatures';
import { ByteWriter } from './writer';

export { decodeBase64Url };

/** RSA keys of other sizes are too weak, or take too long (RFC 7518, section 3.3). */
const LEAST_RSA_BITS = 2048;
const MOST_RSA_BITS = 4096;

/** False once the host said that it does not know the function. */
let native = true;
/** Whether the log has it that the host cannot check an algorithm. */
let told = false;
const request = new ByteWriter(1024);

/** A public key, to check the signatures of JSON Web Signatures with. */
export class JwsKey {
  /** For `verify_signature`, made where it is needed; empty: it cannot be made. */
  private info: ArrayBuffer | null = null;
  /** `R`: RSA; the digit that ES… begins with: a curve; 0: something else. */
  private kind: i32 = 0;

  /** @param jwk JSON text of a JSON Web Key (RFC 7517) */
  constructor(private jwk: ArrayBuffer) {}

  /**
   * Whether a signature is this key's.
   *
   * In weir: RS, PS and ES with 256, 384 and 512, and EdDSA. Where the host has `verify_signature` alone, as Envoy has,
   * those of RS and ES; others are not right there, and the log says so once.
   *
   * @param algorithm `alg` of the header. Whether it may be used is the caller's to say
   * @param input the encoded header, a dot, and the encoded payload
   * @param signature decoded
   */
  verify(algorithm: Bytes, input: Bytes, signature: Bytes): bool {
    if (native) {
      request.clear();
      addField<Bytes>(request, 1, algorithm);
      addField<ArrayBuffer>(request, 2, this.jwk);
      addField<Bytes>(request, 3, input);
      addField<Bytes>(request, 4, signature);
      const answer = callForeign<Bytes>('weir.verify_jws', request.view());
      // The first field of the answer, a true one: `08 01`.
      if (answer !== null) return answer.length >= 2 && answer.at(0) == 8 && answer.at(1) == 1;
      if (!foreignUnknown()) return false;
      native = false;
    }
    return this.verifyElsewhere(algorithm, input, signature);
  }

  private verifyElsewhere(algorithm: Bytes, input: Bytes, signature: Bytes): bool {
    const hash = hashOf(algorithm);
    if (hash === null) {
      if (!told)
        logWarn('this host cannot check signatures of ' + algorithm.toString() + ': they count as wrong');
      told = true;
      return false;
    }
    if (this.info === null) this.info = this.readInfo();
    const info = this.info!;
    if (info.byteLength == 0) return false;
    if (algorithm.at(0) == RSA) {
      return this.kind == RSA && verifySignature(hash, info, signature, input);
    }
    const size = coordinateSize(algorithm.at(2));
    if (this.kind != algorithm.at(2) || signature.length != 2 * size) return false;
    return verifySignature(hash, info, ecdsaInDer(signature, size), input);
  }

  /** The key as SubjectPublicKeyInfo (RFC 5280, section 4.1; RFC 8017, A.1.1; RFC 5480). */
  private readInfo(): ArrayBuffer {
    const value = readJson(this.jwk);
    if (value === null || value.kind != JsonKind.Object) return NONE;
    const type = value.get('kty');
    if (type === null) return NONE;
    if (type.is('RSA')) return this.readRsa(value);
    return type.is('EC') ? this.readCurve(value) : NONE;
  }

  private readRsa(value: JsonValue): ArrayBuffer {
    const modulus = numberOf(value, 'n');
    const exponent = numberOf(value, 'e');
    if (modulus === null || exponent === null) return NONE;
    const bits = bitsOf(view(modulus));
    if (bits < LEAST_RSA_BITS || bits > MOST_RSA_BITS) return NONE;
    const numbers = new ByteWriter(600);
    addInteger(numbers, view(modulus));
    addInteger(numbers, view(exponent));
    const key = new ByteWriter(600).addByte(0);
    addHead(key, SEQUENCE, numbers.length);
    key.add(numbers.view());
    this.kind = RSA;
    return infoOf(RSA_ALGORITHM, key);
  }

  private readCurve(value: JsonValue): ArrayBuffer {
    const curve = value.get('crv');
    const x = numberOf(value, 'x');
    const y = numberOf(value, 'y');
    if (curve === null || x === null || y === null) return NONE;
    const digit = curve.is('P-256') ? 50 : curve.is('P-384') ? 51 : curve.is('P-521') ? 53 : 0;
    const size = coordinateSize(digit);
    // RFC 7518, section 6.2.1.2: as long as the curve asks, whatever the number.
    if (digit == 0 || x.byteLength != size || y.byteLength != size) return NONE;
    this.kind = digit;
    const algorithm = digit == 50 ? P256_ALGORITHM : digit == 51 ? P384_ALGORITHM : P521_ALGORITHM;
    return infoOf(algorithm, new ByteWriter(160).addByte(0).addByte(4).add(x).add(y));
  }
}

const NONE = new ArrayBuffer(0);
const RSA = 82;
const SEQUENCE = 0x30;

// AlgorithmIdentifiers: rsaEncryption, and id-ecPublicKey with its curve.
const RSA_ALGORITHM = '300d06092a864886f70d0101010500';
const P256_ALGORITHM = '301306072a8648ce3d020106082a8648ce3d030107';
const P384_ALGORITHM = '301006072a8648ce3d020106052b81040022';
const P521_ALGORITHM = '301006072a8648ce3d020106052b81040023';

/** Null where `verify_signature` does not know the algorithm. */
function hashOf(algorithm: Bytes): string | null {
  if (algorithm.length != 5 || !(algorithm.startsWith('RS') || algorithm.startsWith('ES'))) return null;
  if (algorithm.endsWith('256')) return 'sha256';
  if (algorithm.endsWith('384')) return 'sha384';
  return algorithm.endsWith('512') ? 'sha512' : null;
}

/** Bytes of a coordinate, by the first digit of the curve's bits or the algorithm's name. */
function coordinateSize(digit: i32): i32 {
  return digit == 50 ? 32 : digit == 51 ? 48 : digit == 53 ? 66 : 0;
}

/** A member that is a number in base64url, big-endian; null where it is none. */
function numberOf(value: JsonValue, name: string): ArrayBuffer | null {
  const member = value.get(name);
  if (member === null || member.kind != JsonKind.String) return null;
  const bytes = new ByteWriter(600);
  return decodeBase64Url(view(member.text), bytes) && bytes.length > 0 ? bytes.copy() : null;
}

function bitsOf(number: Bytes): i32 {
  let from = 0;
  while (from < number.length && number.at(from) == 0) from++;
  return from == number.length ? 0 : 8 * (number.length - from) - (clz<u32>(number.at(from)) - 24);
}

/** R and S, one after the other, as an Ecdsa-Sig-Value (RFC 3279, section 2.2.3). */
function ecdsaInDer(signature: Bytes, size: i32): Bytes {
  const numbers = new ByteWriter(160);
  addInteger(numbers, signature.slice(0, size));
  addInteger(numbers, signature.slice(size));
  const sequence = new ByteWriter(160);
  addHead(sequence, SEQUENCE, numbers.length);
  return sequence.add(numbers.view()).view();
}

function infoOf(algorithm: string, key: ByteWriter): ArrayBuffer {
  const size = algorithm.length / 2;
  const info = new ByteWriter(700);
  const bits = new ByteWriter(700);
  addHead(bits, 3, key.length);
  bits.add(key.view());
  addHead(info, SEQUENCE, size + bits.length);
  for (let i = 0; i < size; i++) info.addByte(<i32>parseInt(algorithm.slice(2 * i, 2 * i + 2), 16));
  return info.add(bits.view()).copy();
}

/** An unsigned number, big-endian, in as few bytes as it takes. */
function addInteger(into: ByteWriter, number: Bytes): void {
  let from = 0;
  while (from < number.length - 1 && number.at(from) == 0) from++;
  const sign = number.at(from) > 127 ? 1 : 0;
  addHead(into, 2, number.length - from + sign);
  if (sign == 1) into.addByte(0);
  into.add(number.slice(from));
}

function addHead(into: ByteWriter, tag: i32, length: i32): void {
  into.addByte(tag);
  if (length > 255) into.addByte(0x82).addByte(length >> 8);
  else if (length > 127) into.addByte(0x81);
  into.addByte(length & 255);
}
