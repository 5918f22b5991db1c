import type { OutgoingHttpHeaders } from 'node:http2';
import { HeaderBlock, MessageKind, STATUS_INDEX } from '../http/headers.ts';

/** Fields of a request that are this client's own, whatever the caller's metadata say. */
const OWN = new Set([
  'te',
  'host',
  'content-type',
  'content-length',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'grpc-timeout',
  'grpc-encoding',
  'grpc-accept-encoding',
]);

/**
 * The head of a call (grpc/doc/PROTOCOL-HTTP2.md, "Requests"). Values of names that end in `-bin` are base64 in the
 * metadata as they are on the wire.
 *
 * @param timeoutMs 0: none
 */
export function requestHeaders(
  path: string,
  authority: string,
  secure: boolean,
  timeoutMs: number,
  metadata: HeaderBlock,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ':method': 'POST',
    ':scheme': secure ? 'https' : 'http',
    ':path': path,
    ':authority': authority,
    te: 'trailers',
    'content-type': 'application/grpc',
    'grpc-accept-encoding': 'identity',
  };
  if (timeoutMs > 0) headers['grpc-timeout'] = `${Math.max(1, Math.ceil(timeoutMs))}m`;
  for (const [name, value] of metadata.entries()) {
    if (name.startsWith(':') || OWN.has(name)) continue;
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else headers[name] = [...(Array.isArray(known) ? known : [String(known)]), value];
  }
  return headers;
}

/** Fields as they came, a repeated one each time. @param raw names and values in turn, as `node:http2` hands them over */
export function blockOf(
  raw: readonly string[],
  kind: typeof MessageKind.Response | typeof MessageKind.Trailers,
): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(kind);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    if (name === ':status') {
      if (kind === MessageKind.Response) block.setValueText(STATUS_INDEX, raw[i + 1]!);
    } else if (!name.startsWith(':')) block.appendText(name, raw[i + 1]!);
  }
  return block;
}
