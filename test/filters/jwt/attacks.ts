/** What was tried against readers of tokens: each is signed as well as it can be, and none may be believed. */
import { CLAIMS, NOW, base64url, makeToken, signatureOf, type Signer } from './tokens.ts';

/** A token whose header and payload are these texts, rightly signed. */
export function raw(signer: Signer, header: string, payload: string): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${base64url(signatureOf(signer, input))}`;
}

const der = (value: Buffer): Buffer => Buffer.concat([Buffer.from([0x30, value.length]), value]);

/** The same 64 bytes, spelled with bits behind the last one. */
function leftOver(text: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + letters[letters.indexOf(text.at(-1)!) | 1]!;
}

/** A good token whose signature is written with the characters of plain base64, where it has any of its own. */
function inPlainBase64(signer: Signer, good: object): string {
  for (;;) {
    const [head, body, signature] = makeToken(signer, good).split('.') as [string, string, string];
    const plain = signature.replaceAll('-', '+').replaceAll('_', '/');
    if (plain !== signature) return `${head}.${body}.${plain}`;
  }
}

/**
 * @param es whose key the reader has, for ES256
 * @param good claims that the reader would take; `iss`, `aud` and `exp` are among them
 */
export function attacksOn(es: Signer, good: object = CLAIMS): [name: string, token: string][] {
  const claims = (more: object): object => ({ ...good, ...more });
  const { iss, aud, exp } = good as { iss: string; aud: string; exp: number };
  const HEADER = JSON.stringify({ alg: 'ES256', kid: es.kid });
  const PAYLOAD = JSON.stringify(good);
  const token = makeToken(es, good);
  const [head, body, signature] = token.split('.') as [string, string, string];
  return [
    ['without a signature', `${head}.${body}.`],
    ['with alg none and no signature', `${base64url({ alg: 'none' })}.${body}.`],
    ['with alg none and a signature', `${base64url({ alg: 'none', kid: es.kid })}.${body}.${signature}`],
    ['with alg None', `${base64url({ alg: 'None' })}.${body}.${signature}`],
    ['without alg', raw(es, '{"kid":"ES256"}', PAYLOAD)],
    ['whose alg is no string', raw(es, '{"alg":["ES256"]}', PAYLOAD)],
    ['with another signature', `${head}.${body}.${base64url(Buffer.alloc(64, 1))}`],
    ['with a signature of zeros', `${head}.${body}.${base64url(Buffer.alloc(64))}`],
    ['with a signature in DER', `${head}.${body}.${base64url(der(Buffer.from(signature, 'base64url')))}`],
    [
      'with a longer signature',
      `${head}.${body}.${base64url(Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.alloc(1)]))}`,
    ],
    ['with another payload', `${head}.${base64url(claims({ sub: 'root' }))}.${signature}`],
    ['with another header', `${base64url({ alg: 'ES256', kid: es.kid, typ: 'x' })}.${body}.${signature}`],
    ['of four parts', `${token}.${signature}`],
    ['of two parts', `${head}.${body}`],
    ['of one part', head],
    ['with padding', `${head}.${body}.${signature}==`],
    ['with characters of plain base64', inPlainBase64(es, good)],
    ['with a space in it', `${head}. ${body}.${signature}`],
    ['with bits that are left over', `${head}.${body}.${leftOver(signature)}`],
    ['whose header is a list', raw(es, '["alg"]', PAYLOAD)],
    ['whose payload is a list', raw(es, HEADER, '[]')],
    ['whose payload is no JSON', raw(es, HEADER, '{"iss":')],
    ['whose payload has more behind it', raw(es, HEADER, `${PAYLOAD}{}`)],
    ['whose header names alg twice', raw(es, '{"alg":"none","alg":"ES256"}', PAYLOAD)],
    [
      'whose payload names a claim twice',
      raw(es, HEADER, PAYLOAD.replace('{', `{"iss":${JSON.stringify(iss)},`)),
    ],
    ['whose payload is nested deeply', raw(es, HEADER, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`)],
    ['that asks for crit', makeToken(es, good, { crit: ['exp'], exp: NOW })],
    ['that brings its key', makeToken(es, good, { jwk: es.jwk })],
    ['that names a set of keys', makeToken(es, good, { jku: 'https://id.test/jwks' })],
    ['that names a certificate', makeToken(es, good, { x5u: 'https://id.test/cert' })],
    ['that brings a certificate', makeToken(es, good, { x5c: ['MIIB'] })],
    ['whose payload is not encoded', makeToken(es, good, { b64: false })],
    ['that is compressed', makeToken(es, good, { zip: 'DEF' })],
    ['with the id of another key', makeToken(es, good, { kid: 'ES384' })],
    ['with an id that no key has', makeToken(es, good, { kid: '../../dev/null' })],
    ['whose id is no string', makeToken(es, good, { kid: 1 })],
    ['with the id of a key for another algorithm', makeToken(es, good, { kid: 'RS256' })],
    ['of an unknown issuer', makeToken(es, claims({ iss: 'https://other.test' }))],
    ['of an issuer that only begins so', makeToken(es, claims({ iss: `${iss}/` }))],
    ['without an issuer', makeToken(es, claims({ iss: undefined }))],
    ['whose issuer is a list', makeToken(es, claims({ iss: [iss] }))],
    ['for another audience', makeToken(es, claims({ aud: 'other' }))],
    ['for no audience', makeToken(es, claims({ aud: undefined }))],
    ['for an empty list of audiences', makeToken(es, claims({ aud: [] }))],
    ['whose audience is no string', makeToken(es, claims({ aud: [aud, 7] }))],
    ['whose audience is an object', makeToken(es, claims({ aud: { [aud]: true } }))],
    ['without an expiry', makeToken(es, claims({ exp: undefined }))],
    ['whose expiry is a string', makeToken(es, claims({ exp: String(NOW + 60) }))],
    ['whose expiry is negative', makeToken(es, claims({ exp: -1 }))],
    ['whose expiry is beyond all times', raw(es, HEADER, PAYLOAD.replace(String(exp), '1e300'))],
    ['whose beginning is no number', makeToken(es, claims({ nbf: null }))],
    ['with a signature of the order of the curve', `${head}.${body}.${base64url(ORDER)}`],
    ['with a signature of 96 zeros', `${head}.${body}.${base64url(Buffer.alloc(96))}`],
    ['with nothing in its middle', `${head}..${signature}`],
    ['of five parts, as if it were encrypted', `${head}.${body}.${signature}.${body}.${signature}`],
    ['with a mark of the order of bytes', raw(es, HEADER, `\ufeff${PAYLOAD}`)],
    ['with text behind the payload', raw(es, HEADER, `${PAYLOAD}\0`)],
    ['whose header names alg again by an escape', raw(es, '{"al\\u0067":"none","alg":"ES256"}', PAYLOAD)],
    [
      'whose payload names a claim again by an escape',
      raw(es, HEADER, PAYLOAD.replace('{', '{"is\\u0073":"x",')),
    ],
    ['whose id asks a database', makeToken(es, good, { kid: "x' UNION SELECT 'ES256" })],
    ['whose id has a NUL', makeToken(es, good, { kid: `${es.kid}\0` })],
    ['of an issuer with a NUL behind it', makeToken(es, claims({ iss: `${iss}\0` }))],
    ['for an audience with a NUL behind it', makeToken(es, claims({ aud: `${aud}\0` }))],
    ['for an audience in another case', makeToken(es, claims({ aud: aud.toUpperCase() }))],
    ['whose expiry has zeros in front', raw(es, HEADER, PAYLOAD.replace(`:${exp}`, `:0${exp}`))],
    ['whose expiry is no number of JSON', raw(es, HEADER, PAYLOAD.replace(String(exp), 'NaN'))],
    ['whose expiry is true', makeToken(es, claims({ exp: true }))],
    ['whose expiry is a list', makeToken(es, claims({ exp: [exp] }))],
    ['whose alg ends with a space', makeToken(es, good, { alg: 'ES256 ' })],
    ['whose alg is in small letters', makeToken(es, good, { alg: 'es256' })],
  ];
}

/** r and s of P-256's order: zero to those who do not look. */
const ORDER = Buffer.concat(
  Array.from({ length: 2 }, () =>
    Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex'),
  ),
);
