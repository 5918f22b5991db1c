import { isIP } from 'node:net';
import { isSecure, isTcp, type PortSpec, type Snapshot } from '../runtime/snapshot.ts';
import { covers } from '../explain/route-explanation.ts';
import type { Fields } from '../explain/trace.ts';

/** A request as the client sends it, and what is known of its connection. */
export interface RehearsedRequest {
  readonly bytes: Buffer;
  /** IP address of the client. */
  readonly client: string;
  /** What it asks for in TLS (SNI); empty: nothing. */
  readonly serverName: string;
}

export interface RequestParts {
  readonly method: string;
  readonly url: RequestUrl;
  readonly headers: Fields;
  readonly body: Buffer;
  readonly client: string;
}

/** A URL taken apart and not normalised: how a target is spelled is the proxy's business. */
export interface RequestUrl {
  readonly secure: boolean;
  /** As it stands, without the port; IPv6 in brackets. */
  readonly host: string;
  /** Null where the URL names none. */
  readonly port: number | null;
  /** Path and query; at least `/`. */
  readonly target: string;
}

const URL_SHAPE = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^/?#:\s]+)(?::(\d{1,5}))?((?:[/?][^#\s]*)?)(?:#\S*)?$/i;

/** @returns null where it is not an absolute `http` or `https` URL */
export function parseUrl(text: string): RequestUrl | null {
  const [, scheme, host, port, rest = ''] = URL_SHAPE.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return null;
  const number = port === undefined ? null : Number(port);
  if (number !== null && (number < 1 || number > 65_535)) return null;
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  return { secure: scheme.toLowerCase() === 'https', host, port: number, target };
}

/** The same with what somebody shows of himself; fields that are there already stay alone. */
export function withCredentials(
  request: RequestParts,
  { headers, query }: { readonly headers: Fields; readonly query: Fields },
): RequestParts {
  const given = new Set(request.headers.map(([name]) => name.toLowerCase()));
  const added = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const { target } = request.url;
  const joined = [target, added.join('&')]
    .filter((part) => part !== '')
    .join(target.includes('?') ? '&' : '?');
  return {
    ...request,
    url: { ...request.url, target: joined },
    headers: [...request.headers, ...headers.filter(([name]) => !given.has(name))],
  };
}

/** The request line, the fields and the body. Host and Content-Length are added where they are not given. */
export function rehearsedRequest({ method, url, headers, body, client }: RequestParts): RehearsedRequest {
  const has = (name: string) => headers.some(([known]) => known.toLowerCase() === name);
  const lines = [`${method} ${url.target} HTTP/1.1`];
  if (!has('host')) lines.push(`Host: ${url.host}${url.port === null ? '' : `:${url.port}`}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const framed = has('content-length') || has('transfer-encoding');
  if (body.length > 0 && !framed) lines.push(`Content-Length: ${body.length}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const serverName = url.secure && isIP(url.host.replace(/^\[|\]$/g, '')) === 0 ? url.host.toLowerCase() : '';
  return { bytes: Buffer.concat([head, body]), client, serverName };
}

/**
 * The port that a URL leads to. One that names no port leads to 80 or 443 where weir listens there, else to the
 * only port of its protocol, or to the first that has a listener for the host.
 *
 * @returns null where there is none
 */
export function portFor(snapshot: Snapshot, url: RequestUrl): PortSpec | null {
  const candidates = snapshot.ports.filter((port) => !isTcp(port) && isSecure(port) === url.secure);
  const wanted = url.port ?? (url.secure ? 443 : 80);
  const exact = candidates.find((port) => port.port === wanted);
  if (exact !== undefined) return exact;
  if (url.port !== null) return null;
  const host = url.host.toLowerCase();
  return (
    candidates.find((port) => port.listeners.some(({ hostname }) => covers(hostname, host))) ??
    candidates[0] ??
    null
  );
}
