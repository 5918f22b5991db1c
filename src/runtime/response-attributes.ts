import type { HeaderBlock } from './http/headers.ts';
import type { Stream } from './stream.ts';
import type { AttributePhase, AttributeRow } from './wasm/attribute-table.ts';
import { fieldBytes, fieldMap, int, joinedField, nanoseconds, text } from './wasm/attribute-values.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** What attributes tell of an answer. */
type ResponseFacts = Pick<
  Stream,
  'headerMap' | 'status' | 'details' | 'flags' | 'bytesSent' | 'answerAt' | 'attemptAt'
>;

const row = (
  name: string,
  type: AttributeValue['type'],
  note: string,
  read: AttributeRow<ResponseFacts>['read'],
  from: AttributePhase = 'answer',
): AttributeRow<ResponseFacts> => ({ path: `response.${name}`, type, from, note, read });

const head = (s: ResponseFacts): HeaderBlock | null => s.headerMap(2);
const trailers = (s: ResponseFacts): HeaderBlock | null => s.headerMap(3);

export const RESPONSE_ROWS: readonly AttributeRow<ResponseFacts>[] = [
  row('code', 'int', '', (s) => (s.status === 0 ? undefined : int(s.status))),
  row('code_details', 'string', '`via_upstream`, or the reason for the answer', (s) => {
    const details = s.details || (s.status === 0 ? '' : 'via_upstream');
    return details === '' ? undefined : text(details);
  }),
  row('flags', 'int', "Envoy's bits", (s) => int(s.flags), 'request'),
  row('grpc_status', 'int', 'of trailers, head, or by the HTTP status', (s) => {
    const status = grpcStatus(trailers(s)) ?? grpcStatus(head(s));
    if (status !== undefined) return int(status);
    return s.status === 0 ? undefined : int(GRPC_OF_HTTP[s.status] ?? GRPC_UNKNOWN);
  }),
  {
    ...row('headers', 'map', '`response.headers.<name>`, as of the request; before the answer: empty', (s) =>
      fieldMap(head(s)),
    ),
    readField: (s, name) => fieldOf(head(s), name),
  },
  {
    ...row('trailers', 'map', '`response.trailers.<name>`, the same', (s) => fieldMap(trailers(s))),
    readField: (s, name) => fieldOf(trailers(s), name),
  },
  row('size', 'int', 'of the body, sent so far', (s) => int(s.bytesSent), 'request'),
  row(
    'total_size',
    'int',
    'body so far, head and trailers',
    (s) => int(s.bytesSent + fieldBytes(head(s)) + fieldBytes(trailers(s))),
    'request',
  ),
  row('headers_bytes', 'int', 'names and values', (s) => int(fieldBytes(head(s))), 'request'),
  row('backend_latency', 'duration', 'from the start of the last attempt to the head of its answer', (s) =>
    s.answerAt === 0 ? undefined : nanoseconds('duration', s.answerAt - s.attemptAt),
  ),
];

function fieldOf(block: HeaderBlock | null, name: string): AttributeValue | undefined {
  return block === null ? undefined : joinedField(block, name);
}

function grpcStatus(block: HeaderBlock | null): number | undefined {
  const status = block?.get('grpc-status');
  return status === undefined || !/^\d{1,3}$/.test(status) ? undefined : Number(status);
}

const GRPC_UNKNOWN = 2;
/** By HTTP status (gRPC, "HTTP to gRPC Status Code Mapping"). */
const GRPC_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
