import { Pseudo } from './http/headers.ts';
import type { Stream } from './stream.ts';
import type { AttributeRow } from './wasm/attribute-table.ts';
import {
  fieldBytes,
  fieldMap,
  fieldValue,
  int,
  joinedField,
  nanoseconds,
  text,
} from './wasm/attribute-values.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** Milliseconds that turn `performance.now()` into the time since the epoch. */
const EPOCH_MS = performance.timeOrigin;

/** What attributes tell of a request. */
type RequestFacts = Pick<
  Stream,
  'request' | 'minorVersion' | 'requestSize' | 'bytesReceived' | 'startedAt' | 'endedAt'
>;

const row = (
  name: string,
  type: AttributeValue['type'],
  note: string,
  read: AttributeRow<RequestFacts>['read'],
): AttributeRow<RequestFacts> => ({ path: `request.${name}`, type, from: 'request', note, read });

/** The request as it is now: filters and rewrites change it on its way. */
export const REQUEST_ROWS: readonly AttributeRow<RequestFacts>[] = [
  row('path', 'string', 'with the query', (s) => fieldValue(s.request, Pseudo.Path)),
  row('url_path', 'string', 'without the query', (s) => text(pathOf(s).split('?', 1)[0]!)),
  row('query', 'string', 'empty where there is none', (s) => {
    const path = pathOf(s);
    const at = path.indexOf('?');
    return text(at < 0 ? '' : path.slice(at + 1));
  }),
  row('host', 'string', '', (s) => fieldValue(s.request, Pseudo.Authority)),
  row('scheme', 'string', '', (s) => fieldValue(s.request, Pseudo.Scheme)),
  row('method', 'string', '', (s) => fieldValue(s.request, Pseudo.Method)),
  row('referer', 'string', '', (s) => joinedField(s.request, 'referer')),
  row('useragent', 'string', '', (s) => joinedField(s.request, 'user-agent')),
  row('id', 'string', '`x-request-id`', (s) => joinedField(s.request, 'x-request-id')),
  row('protocol', 'string', '`HTTP/1.0` or `HTTP/1.1`', (s) =>
    text(s.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0'),
  ),
  {
    ...row('headers', 'map', '`request.headers.<name>`, lower-case; repeated fields joined by commas', (s) =>
      fieldMap(s.request),
    ),
    readField: (s, name) => joinedField(s.request, name),
  },
  row('size', 'int', 'of the body: announced, or else come so far', (s) => int(s.requestSize)),
  row('total_size', 'int', 'body so far and head', (s) => int(s.bytesReceived + fieldBytes(s.request))),
  row('headers_bytes', 'int', 'names and values', (s) => int(fieldBytes(s.request))),
  row('time', 'time', 'of its first byte', (s) => nanoseconds('time', EPOCH_MS + s.startedAt)),
  row('duration', 'duration', 'so far', (s) =>
    nanoseconds('duration', (s.endedAt || performance.now()) - s.startedAt),
  ),
];

function pathOf(stream: Pick<Stream, 'request'>): string {
  return stream.request.valueText(Pseudo.Path);
}
