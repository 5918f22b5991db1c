import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { text } from './wasm/attribute-values.ts';
import type { AttributeRow } from './wasm/attribute-table.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** One attribute of a TLS connection; `local` is weir's own certificate, `peer` that of the other side. */
interface CertificateAttribute {
  readonly name: string;
  readonly note: string;
  readonly read: (socket: TLSSocket) => string | undefined;
}

const ATTRIBUTES: readonly CertificateAttribute[] = [
  {
    name: 'tls_version',
    note: '`TLSv1.2` or `TLSv1.3`',
    read: (socket) => socket.getProtocol() ?? undefined,
  },
  {
    name: 'subject_local_certificate',
    note: 'RFC 2253',
    read: (socket) => subject(localOf(socket)),
  },
  {
    name: 'subject_peer_certificate',
    note: 'RFC 2253; empty where the peer showed none',
    read: (socket) => subject(peerOf(socket)),
  },
  {
    name: 'dns_san_local_certificate',
    note: 'the first',
    read: (socket) => firstSan(localOf(socket), 'DNS'),
  },
  {
    name: 'dns_san_peer_certificate',
    note: 'the first',
    read: (socket) => firstSan(peerOf(socket), 'DNS'),
  },
  {
    name: 'uri_san_local_certificate',
    note: 'the first',
    read: (socket) => firstSan(localOf(socket), 'URI'),
  },
  {
    name: 'uri_san_peer_certificate',
    note: 'the first',
    read: (socket) => firstSan(peerOf(socket), 'URI'),
  },
  {
    name: 'sha256_peer_certificate_digest',
    note: '64 hex digits, lower-case',
    read: (socket) => peerOf(socket)?.fingerprint256.replaceAll(':', '').toLowerCase(),
  },
  {
    name: 'peer_certificate',
    note: 'PEM, URL-encoded',
    read: (socket) => urlEncodedPem(peerOf(socket)),
  },
];

/**
 * The attributes of a TLS connection below `prefix`; not there where the connection has none.
 *
 * @param socketOf null: no TLS, or no connection
 * @param validOnly a certificate of the peer that is not valid counts for none
 */
export function certificateRows<Source>(
  prefix: 'connection' | 'upstream',
  from: AttributeRow<Source>['from'],
  socketOf: (source: Source) => TLSSocket | null,
  validOnly = false,
): AttributeRow<Source>[] {
  return ATTRIBUTES.map(({ name, note, read }) => ({
    path: `${prefix}.${name}`,
    type: 'string',
    from,
    note: note === '' ? 'TLS' : `TLS; ${note}`,
    read: (source): AttributeValue | undefined => {
      const socket = socketOf(source);
      if (socket === null) return undefined;
      const hidden = validOnly && name.includes('peer_certificate') && !showsValidCertificate(socket);
      const value = !hidden ? read(socket) : name.startsWith('subject') ? '' : undefined;
      return value === undefined ? undefined : text(value);
    },
  }));
}

/** Whether the other side showed a certificate that one of the authorities has signed. */
export function showsValidCertificate(socket: TLSSocket | null): boolean {
  return socket !== null && socket.authorized && peerOf(socket) !== undefined;
}

const locals = new WeakMap<TLSSocket, X509Certificate>();
const peers = new WeakMap<TLSSocket, X509Certificate>();

// Kept, since a closed connection has forgotten them when the stream is logged.

function localOf(socket: TLSSocket): X509Certificate | undefined {
  const known = locals.get(socket) ?? socket.getX509Certificate();
  if (known !== undefined) locals.set(socket, known);
  return known;
}

/** Made of the bytes: Node 20 gives a client the certificate of its server by `getPeerX509Certificate` only once. */
function peerOf(socket: TLSSocket): X509Certificate | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  // Null where the connection is closed, though Node's types do not say so.
  const raw = (socket.getPeerCertificate() as { readonly raw?: Buffer } | null)?.raw;
  if (raw === undefined) return undefined;
  const made = new X509Certificate(raw);
  peers.set(socket, made);
  return made;
}

/** Node writes a subject with one part a line, the least specific first, escaped as RFC 2253 asks for. */
function subject(certificate: X509Certificate | undefined): string {
  return certificate === undefined ? '' : (certificate.subject ?? '').split('\n').reverse().join(',');
}

/** `DNS:a.example, URI:spiffe://b`; a value with a comma or a quote in it is written as JSON text. */
const SAN = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;

function firstSan(certificate: X509Certificate | undefined, kind: 'DNS' | 'URI'): string | undefined {
  for (const [, name, value] of (certificate?.subjectAltName ?? '').matchAll(SAN)) {
    if (name !== kind) continue;
    return value!.startsWith('"') ? (JSON.parse(value!) as string) : value;
  }
  return undefined;
}

const ENCODED: Readonly<Record<string, string>> = {
  '\n': '%0A',
  ' ': '%20',
  '+': '%2B',
  '/': '%2F',
  '=': '%3D',
};

function urlEncodedPem(certificate: X509Certificate | undefined): string | undefined {
  return certificate?.toString().replace(/[\n +/=]/g, (sign) => ENCODED[sign]!);
}
