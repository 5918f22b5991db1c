import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import type { UpstreamTlsSpec } from './snapshot.ts';

/** What `tls.connect` needs to reach an upstream and to check who answers; null: no TLS. */
export function upstreamTlsOptions(spec: UpstreamTlsSpec | null): ConnectionOptions | null {
  if (spec === null) return null;
  const { serverName } = spec;
  return {
    // SNI carries names only (RFC 6066 §3); an address is still what the certificate is checked against.
    servername: isIP(serverName) === 0 ? serverName : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: spec.verify,
    ...(spec.caPem === null ? {} : { ca: spec.caPem }),
  };
}
