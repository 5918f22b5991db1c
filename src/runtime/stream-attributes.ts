import { isIP } from 'node:net';
import { serverNameOf } from './accepted-socket.ts';
import type { HeaderBlock } from './http/headers.ts';
import type { Stream } from './stream.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** Milliseconds that turn `performance.now()` into the time since the epoch. */
const EPOCH_MS = performance.timeOrigin;

type Reader = (stream: Stream) => AttributeValue | undefined;

/**
 * What `proxy_get_property` finds of a stream, under Envoy's names and with Envoy's types
 * (Proxy-Wasm reference §8). Cold: strings are made where a guest asks.
 */
export function attributeOf(stream: Stream, path: string): AttributeValue | undefined {
  const known = READERS[path];
  if (known !== undefined) return known(stream);
  const own = stream.properties?.get(path);
  if (own !== undefined) return { type: 'bytes', value: own };
  if (path.startsWith(REQUEST_HEADER)) return header(stream.request, path.slice(REQUEST_HEADER.length));
  if (path.startsWith(RESPONSE_HEADER)) {
    const answer = stream.headerMap(2);
    return answer === null ? undefined : header(answer, path.slice(RESPONSE_HEADER.length));
  }
  return undefined;
}

const REQUEST_HEADER = 'request\0headers\0';
const RESPONSE_HEADER = 'response\0headers\0';

const READERS: Readonly<Record<string, Reader>> = Object.freeze({
  __proto__: null as never,
  ...named({
    'request.path': (s) => pseudo(s.request, 1),
    'request.url_path': (s) => text(pathOf(s).split('?', 1)[0]!),
    'request.query': (s) => {
      const path = pathOf(s);
      const at = path.indexOf('?');
      return text(at < 0 ? '' : path.slice(at + 1));
    },
    'request.host': (s) => pseudo(s.request, 2),
    'request.scheme': (s) => pseudo(s.request, 3),
    'request.method': (s) => pseudo(s.request, 0),
    'request.referer': (s) => header(s.request, 'referer'),
    'request.useragent': (s) => header(s.request, 'user-agent'),
    'request.id': (s) => header(s.request, 'x-request-id'),
    'request.protocol': (s) => text(s.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0'),
    'request.headers': (s) => map(s.request),
    'request.size': (s) => int(s.requestSize),
    'request.total_size': (s) => int(s.requestSize + headBytes(s.request)),
    'request.headers_bytes': (s) => int(headBytes(s.request)),
    'request.time': (s) => nanoseconds('time', EPOCH_MS + s.startedAt),
    'request.duration': (s) => nanoseconds('duration', (s.endedAt || performance.now()) - s.startedAt),
    'response.code': (s) => (s.status === 0 ? undefined : int(s.status)),
    'response.code_details': (s) => text(s.details || (s.attempts > 0 ? 'via_upstream' : '')),
    'response.flags': (s) => int(s.flags),
    'response.headers': (s) => {
      const answer = s.headerMap(2);
      return answer === null ? undefined : map(answer);
    },
    'response.trailers': (s) => {
      const trailers = s.headerMap(3);
      return trailers === null ? undefined : map(trailers);
    },
    'response.size': (s) => int(s.bytesSent),
    'response.total_size': (s) => int(s.bytesSent + (s.status === 0 ? 0 : headBytes(s.answer))),
    'response.headers_bytes': (s) => (s.status === 0 ? undefined : int(headBytes(s.answer))),
    'response.backend_latency': (s) =>
      s.answerAt === 0 ? undefined : nanoseconds('duration', s.answerAt - s.attemptAt),
    'response.grpc_status': (s) => {
      const status = s.status === 0 ? undefined : s.answer.get('grpc-status');
      return status === undefined || !/^\d{1,3}$/.test(status) ? undefined : int(Number(status));
    },
    'source.address': (s) => {
      const address = s.connection.clientAddress(s.request);
      return text(hostPort(address, address === s.connection.remoteAddress ? s.connection.remotePort : 0));
    },
    'source.port': (s) => int(s.connection.remotePort),
    'destination.address': (s) =>
      text(hostPort(s.connection.socket.localAddress ?? '', s.connection.localPort)),
    'destination.port': (s) => int(s.connection.localPort),
    'connection.id': (s) => ({ type: 'uint', value: BigInt(s.connection.id) }),
    connection_id: (s) => ({ type: 'uint', value: BigInt(s.connection.id) }),
    'connection.mtls': () => ({ type: 'bool', value: false }),
    'connection.tls_version': (s) => tls(s, 'version'),
    'connection.requested_server_name': (s) => tls(s, 'name'),
    'upstream.address': (s) => (s.endpoint === null ? undefined : text(s.endpoint.text)),
    'upstream.port': (s) => (s.endpoint === null ? undefined : int(s.endpoint.port)),
    'upstream.num_endpoints': (s) =>
      s.cluster === null ? undefined : { type: 'uint', value: BigInt(s.cluster.endpoints.length) },
    'upstream.request_attempt_count': (s) => ({ type: 'uint', value: BigInt(s.attempts) }),
    route_name: (s) => ruleName(s),
    'xds.route_name': (s) => ruleName(s),
    cluster_name: (s) => clusterName(s),
    'xds.cluster_name': (s) => clusterName(s),
    listener_direction: () => int(1),
    'xds.listener_direction': () => int(1),
  }),
});

function named(readers: Record<string, Reader>): Record<string, Reader> {
  return Object.fromEntries(
    Object.entries(readers).map(([name, reader]) => [name.replaceAll('.', '\0'), reader]),
  );
}

function text(value: string): AttributeValue {
  return { type: 'string', value };
}

function int(value: number): AttributeValue {
  return { type: 'int', value: BigInt(value) };
}

function nanoseconds(type: 'time' | 'duration', ms: number): AttributeValue {
  return { type, value: BigInt(Math.round(ms * 1e6)) };
}

/** Bytes, not text: header values need not be UTF-8. */
function pseudo(block: HeaderBlock, index: number): AttributeValue {
  return { type: 'bytes', value: valueBytes(block, index) };
}

function valueBytes(block: HeaderBlock, index: number): Uint8Array {
  return block.bytes.subarray(block.spans[4 * index + 2], block.spans[4 * index + 3]);
}

function pathOf(stream: Stream): string {
  return stream.request.valueText(1);
}

function header(block: HeaderBlock, name: string): AttributeValue | undefined {
  const bytes = Buffer.from(name, 'latin1');
  const first = block.indexOf(bytes);
  if (first < 0) return undefined;
  const next = block.indexOf(bytes, first + 1);
  if (next < 0) return pseudo(block, first);
  const values = [valueBytes(block, first)];
  for (let at = next; at >= 0; at = block.indexOf(bytes, at + 1)) values.push(COMMA, valueBytes(block, at));
  return { type: 'bytes', value: Buffer.concat(values) };
}

const COMMA = Buffer.from(',');

function map(block: HeaderBlock): AttributeValue {
  const seen = new Map<string, Uint8Array>();
  for (let i = 0; i < block.count; i++) {
    const name = block.nameText(i);
    const known = seen.get(name);
    seen.set(
      name,
      known === undefined ? valueBytes(block, i) : Buffer.concat([known, COMMA, valueBytes(block, i)]),
    );
  }
  return { type: 'map', value: [...seen] };
}

function headBytes(block: HeaderBlock): number {
  let bytes = 2;
  for (let i = 0; i < block.count; i++) {
    const at = 4 * i;
    bytes += block.spans[at + 1]! - block.spans[at]! + block.spans[at + 3]! - block.spans[at + 2]! + 4;
  }
  return bytes;
}

function hostPort(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function ruleName(stream: Stream): AttributeValue | undefined {
  return stream.rule < 0 ? undefined : text(stream.live.rules[stream.rule]!.spec.name);
}

function clusterName(stream: Stream): AttributeValue | undefined {
  return stream.cluster === null ? undefined : text(stream.cluster.spec.name);
}

function tls(stream: Stream, what: 'version' | 'name'): AttributeValue | undefined {
  const { tls } = stream.connection;
  if (tls === null) return undefined;
  const value = what === 'version' ? tls.getProtocol() : serverNameOf(tls);
  return value === null ? undefined : text(value);
}
