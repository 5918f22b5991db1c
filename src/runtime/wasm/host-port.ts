import { isIP } from 'node:net';

/** An address as Envoy writes it: `192.0.2.1:80`, `[2001:db8::1]:80`. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
