import { isIP } from 'node:net';

/** Where the admin server listens. */
export type AdminAddress =
  | { readonly kind: 'off' }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** @returns null where the text is none of `HOST:PORT`, `[IPv6]:PORT`, `PORT`, `unix:PATH` and `off` */
export function parseAdminAddress(text: string): AdminAddress | null {
  if (text === 'off') return { kind: 'off' };
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : null;
  const parts = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  if (!parts) return null;
  const port = Number(parts[2]);
  if (port > 65535) return null;
  const host = (parts[1] ?? '127.0.0.1').replace(/^\[|\]$/g, '');
  return { kind: 'tcp', host, port };
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/**
 * Whether a Host field names this server and not a name that somebody pointed at it: a page of
 * another origin can make a browser connect here under a name of its own (DNS rebinding), but not
 * under an address.
 */
export function isTrustedHost(host: string | undefined, boundTo: string): boolean {
  if (host === undefined) return false;
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  return name === 'localhost' || isIP(name) !== 0 || name === boundTo.toLowerCase();
}
