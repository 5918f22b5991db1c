import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { HostTable } from './host-table.ts';
import type { ClientValidationSpec, ListenerSpec, PortSpec } from './snapshot.ts';

/**
 * The certificates of one port, by the name that a client asks for (SNI). A listener's hostname
 * decides first, as it does for requests; within a listener the certificate whose names fit.
 */
export class Certificates {
  readonly #listeners: HostTable;
  readonly #byListener: readonly {
    readonly names: HostTable;
    readonly contexts: readonly SecureContext[];
    /** Where no name fits. */
    readonly first: SecureContext | null;
    readonly minVersion: ListenerSpec['minTlsVersion'];
  }[];
  /** Index of the listener that takes any name; -1: none. */
  readonly #open: number;

  /**
   * What the port itself offers: to clients that name no server, the first certificate of the listener
   * that takes any name, or none; and the lowest version that any of its listeners takes.
   */
  readonly defaults: Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'minVersion'>;
  /** How connections are asked for a certificate of their own. */
  readonly clients: ClientValidationSpec | null;

  /** @throws where a key does not belong to its certificate, or either cannot be read */
  constructor(port: PortSpec) {
    this.clients = port.clientValidation ?? null;
    // An empty list means nobody; without one Node would trust the authorities of the system.
    const trust = this.clients === null ? {} : { ca: this.clients.authoritiesPem || [] };
    this.#listeners = new HostTable(port.listeners.map((listener) => listener.hostname));
    this.#byListener = port.listeners.map((listener) => {
      const { minTlsVersion: minVersion, certificates } = listener;
      const contexts = certificates.map(({ chainPem: cert, keyPem: key }) =>
        createSecureContext({ ...trust, cert, key, minVersion }),
      );
      return {
        // One entry a name, so that the index leads back to the certificate it is of.
        names: new HostTable(certificates.flatMap(({ names }) => [...names])),
        contexts: certificates.flatMap(({ names }, i) => names.map(() => contexts[i]!)),
        first: contexts[0] ?? null,
        minVersion,
      };
    });
    this.#open = port.listeners.findIndex((listener) => listener.hostname === '');
    const first = port.listeners[this.#open]?.certificates[0];
    const strict = port.listeners.every((listener) => listener.minTlsVersion === 'TLSv1.3');
    this.defaults = {
      ...trust,
      ...(first === undefined ? {} : { cert: first.chainPem, key: first.keyPem }),
      minVersion: strict ? 'TLSv1.3' : 'TLSv1.2',
    };
  }

  /** Index of the listener that a server name belongs to, or that is shown where none is named; -1: none. */
  listenerOf(serverName: string): number {
    if (serverName === '') return this.#open;
    const bytes = Buffer.from(serverName.toLowerCase(), 'latin1');
    return this.#listeners.find(bytes, 0, bytes.length);
  }

  /**
   * Whether the connection has the certificate that its port asks for, and the version that its listener asks for. OpenSSL settles the version
   * before it asks for the name's certificate, by the port's own minimum: that of the most lenient listener.
   */
  admits(socket: TLSSocket, serverName: string): boolean {
    const listener = this.#byListener[this.listenerOf(serverName)];
    if (listener === undefined) return false;
    // Node refuses it already; whatever it makes of its own options, nobody comes in without.
    if (this.clients?.required === true && !socket.authorized) return false;
    return listener.minVersion !== 'TLSv1.3' || socket.getProtocol() === 'TLSv1.3';
  }

  /** Null: no listener has this name, the handshake is refused. */
  find(serverName: string): SecureContext | null {
    const listener = this.#byListener[this.listenerOf(serverName)];
    if (listener === undefined) return null;
    const bytes = Buffer.from(serverName.toLowerCase(), 'latin1');
    const at = listener.names.find(bytes, 0, bytes.length);
    return listener.contexts[at] ?? listener.first;
  }
}
