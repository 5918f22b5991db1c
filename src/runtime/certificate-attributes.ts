import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { text } from './wasm/attribute-values.ts';
import type { AttributeRow } from './wasm/attribute-table.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** One attribute of a TLS connection; `local` is weir's own certificate, `peer` that of the other side. */
interface CertificateAttribute {
  readonly name: string;
  readonly note: string;
  readonly read: (socket: TLSSocket) => string | readonly string[] | undefined;
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
    read: (socket) => sansOf(localOf(socket), 'DNS')[0],
  },
  {
    name: 'dns_san_peer_certificate',
    note: 'the first',
    read: (socket) => sansOf(peerOf(socket), 'DNS')[0],
  },
  {
    name: 'uri_san_local_certificate',
    note: 'the first',
    read: (socket) => sansOf(localOf(socket), 'URI')[0],
  },
  {
    name: 'uri_san_peer_certificate',
    note: 'the first',
    read: (socket) => sansOf(peerOf(socket), 'URI')[0],
  },
  {
    name: 'dns_sans_peer_certificate',
    note: 'all of them; weir alone has it',
    read: (socket) => sansOf(peerOf(socket), 'DNS'),
  },
  {
    name: 'uri_sans_peer_certificate',
    note: 'all of them; weir alone has it',
    read: (socket) => sansOf(peerOf(socket), 'URI'),
  },
  {
    name: 'sha256_peer_certificate_digest',
    note: '64 hex digits, lower-case',
    read: (socket) => digestOf(peerOf(socket)),
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
    type: name.includes('_sans_') ? 'list' : 'string',
    from,
    note: note === '' ? 'TLS' : `TLS; ${note}`,
    read: (source): AttributeValue | undefined => {
      const socket = socketOf(source);
      if (socket === null) return undefined;
      const hidden = validOnly && name.includes('peer_certificate') && !showsValidCertificate(socket);
      const value = !hidden ? read(socket) : name.startsWith('subject') ? '' : undefined;
      if (typeof value === 'string') return text(value);
      // An empty list would be one: what is not there is absent.
      return value === undefined || value.length === 0 ? undefined : { type: 'list', value: value.map(text) };
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

export function localOf(socket: TLSSocket): X509Certificate | undefined {
  const known = locals.get(socket) ?? socket.getX509Certificate();
  if (known !== undefined) locals.set(socket, known);
  return known;
}

/** Made of the bytes: Node 20 gives a client the certificate of its server by `getPeerX509Certificate` only once. */
export function peerOf(socket: TLSSocket): X509Certificate | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  // Null where the connection is closed, though Node's types do not say so.
  const raw = (socket.getPeerCertificate() as { readonly raw?: Buffer } | null)?.raw;
  if (raw === undefined) return undefined;
  const made = new X509Certificate(raw);
  peers.set(socket, made);
  return made;
}

/** SHA-256, lower-case hexadecimal. */
export function digestOf(certificate: X509Certificate | undefined): string | undefined {
  return certificate?.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Node writes a subject with one part a line, the least specific first, escaped as RFC 2253 asks for. */
export function subject(certificate: X509Certificate | undefined): string {
  return certificate === undefined ? '' : (certificate.subject ?? '').split('\n').reverse().join(',');
}

/** `DNS:a.example, URI:spiffe://b`; a value with a comma or a quote in it is written as JSON text. */
const SAN = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** All names of a certificate of one kind. */
export function sansOf(certificate: X509Certificate | undefined, kind: 'DNS' | 'URI'): string[] {
  return [...(certificate?.subjectAltName ?? '').matchAll(SAN)]
    .filter(([, name]) => name === kind)
    .map(([, , value]) => (value!.startsWith('"') ? (JSON.parse(value!) as string) : value!));
}

const ENCODED: Readonly<Record<string, string>> = {
  '\n': '%0A',
  ' ': '%20',
  '+': '%2B',
  '/': '%2F',
  '=': '%3D',
};

export function urlEncodedPem(certificate: X509Certificate | undefined): string | undefined {
  return certificate?.toString().replace(/[\n +/=]/g, (sign) => ENCODED[sign]!);
}
