import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { HostTable } from './host-table.ts';
import type { PortSpec } from './snapshot.ts';

/**
 * The certificates of one port, by the name that a client asks for (SNI). A listener's hostname
 * decides first, as it does for requests; within a listener the certificate whose names fit.
 */
export class Certificates {
  readonly #listeners: HostTable;
  readonly #byListener: readonly { readonly names: HostTable; readonly contexts: readonly SecureContext[] }[];

  /** For clients that name no server: the first certificate of the listener that takes any name; null: none. */
  readonly fallback: Pick<SecureContextOptions, 'cert' | 'key' | 'minVersion'> | null;

  /** @throws where a key does not belong to its certificate, or either cannot be read */
  constructor(port: PortSpec) {
    this.#listeners = new HostTable(port.listeners.map((listener) => listener.hostname));
    this.#byListener = port.listeners.map((listener) => ({
      // One entry a name, so that the index leads back to the certificate it is of.
      names: new HostTable(listener.certificates.flatMap((certificate) => [...certificate.names])),
      contexts: listener.certificates.flatMap((certificate) => {
        const context = createSecureContext({
          cert: certificate.chainPem,
          key: certificate.keyPem,
          minVersion: listener.minTlsVersion,
        });
        return certificate.names.map(() => context);
      }),
    }));
    const open = port.listeners.find((listener) => listener.hostname === '');
    const first = open?.certificates[0];
    this.fallback =
      first === undefined
        ? null
        : { cert: first.chainPem, key: first.keyPem, minVersion: open!.minTlsVersion };
  }

  /** Index of the listener that a server name belongs to; -1: none. */
  listenerOf(serverName: string): number {
    const bytes = Buffer.from(serverName.toLowerCase(), 'latin1');
    return this.#listeners.find(bytes, 0, bytes.length);
  }

  /** Null: no listener has this name, the handshake is refused. */
  find(serverName: string): SecureContext | null {
    const listener = this.#byListener[this.listenerOf(serverName)];
    if (listener === undefined) return null;
    const bytes = Buffer.from(serverName.toLowerCase(), 'latin1');
    const at = listener.names.find(bytes, 0, bytes.length);
    return listener.contexts[at === -1 ? 0 : at] ?? null;
  }
}
