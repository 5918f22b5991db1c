import type { TLSSocket } from 'node:tls';
import {
  digestOf,
  localOf,
  peerOf,
  sansOf,
  showsValidCertificate,
  subject,
  urlEncodedPem,
} from './certificate-attributes.ts';
import { X_FORWARDED_CLIENT_CERT } from './http/fields.ts';
import type { HeaderBlock } from './http/headers.ts';
import type { ListenerLimits } from './snapshot.ts';

const NAME = X_FORWARDED_CLIENT_CERT.toString('latin1');
const DETAILS = 'dns,subject,uri';

interface Element {
  readonly details: string;
  readonly text: string;
}

/** One for a connection, whose certificates do not change. */
const elements = new WeakMap<TLSSocket, Element>();

/**
 * What a request says of the certificate of its client, by the mode of its listener (Envoy's `forward_client_cert_details`).
 * What its reader left out is gone already.
 */
export function forwardCertificate(
  request: HeaderBlock,
  { tls, limits }: { readonly tls: TLSSocket | null; readonly limits: ListenerLimits },
): void {
  const { forwardedClientCert: mode, forwardedClientCertDetails: details = DETAILS } = limits;
  if (mode === 'alwaysforwardonly' || mode === 'sanitize') return;
  if (tls === null || !showsValidCertificate(tls)) {
    request.removeAll(X_FORWARDED_CLIENT_CERT);
    return;
  }
  if (mode === 'forwardonly') return;
  const own = elementOf(tls, details);
  const before = mode === 'appendforward' ? valuesOf(request) : [];
  request.replaceText(NAME, [...before, own].join());
}

/** Quotes open behind `=` alone, and what they hold ends with the value. */
const WELL_QUOTED = /^(?:[^"]|(?<==)"(?:[^"\\]|\\.)*"(?=[ \t]*(?:[,;]|$)))*$/;

/** What proxies in front said. A value whose quotes do not close could swallow the element that is appended to it. */
function valuesOf(request: HeaderBlock): string[] {
  const values: string[] = [];
  let i = request.indexOf(X_FORWARDED_CLIENT_CERT);
  for (; i >= 0; i = request.indexOf(X_FORWARDED_CLIENT_CERT, i + 1)) values.push(request.valueText(i));
  return values.filter((value) => value !== '' && WELL_QUOTED.test(value));
}

/** `By=…;Hash=…;…`, with a pair for each name of the certificate. */
function elementOf(tls: TLSSocket, details: string): string {
  const known = elements.get(tls);
  if (known?.details === details) return known.text;
  const peer = peerOf(tls);
  const wants = details.split(',');
  const pairs: (readonly [name: string, value: string | undefined])[] = [
    ...sansOf(localOf(tls), 'URI').map((uri) => ['By', uri] as const),
    ['Hash', digestOf(peer)],
    ['Cert', wants.includes('cert') ? urlEncodedPem(peer) : undefined],
    ['Subject', wants.includes('subject') ? subject(peer) : undefined],
    ...(wants.includes('uri') ? sansOf(peer, 'URI') : []).map((uri) => ['URI', uri] as const),
    ...(wants.includes('dns') ? sansOf(peer, 'DNS') : []).map((name) => ['DNS', name] as const),
  ];
  const text = pairs
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .map(([name, value]) => `${name}=${quoted(value, name === 'Subject' || name === 'Cert')}`)
    .join(';');
  elements.set(tls, { details, text });
  return text;
}

/** In quotes where it could be taken for more than one value, and nothing in it that a field must not have. */
function quoted(value: string, always: boolean): string {
  const plain = value.replace(/[^ -~]/gu, (sign) =>
    [...Buffer.from(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  return always || /[",;=\\]/.test(plain) ? `"${plain.replace(/["\\]/g, '\\$&')}"` : plain;
}
