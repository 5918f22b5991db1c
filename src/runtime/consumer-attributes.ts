import type { Stream } from './stream.ts';
import type { AttributeRow } from './wasm/attribute-table.ts';
import { OWN_PREFIX } from './wasm/filter-state.ts';
import type { AttributeValue } from './wasm/stream-host.ts';

/** What a filter that admits a request says of its sender: one property each, with the dots in its name. */
const CONSUMER = `${OWN_PREFIX}consumer.`;
/** Longer names, which can only be those that a claim of a token has, are cut. */
const MAX_NAME = 256;
const NAME = `${CONSUMER}name`;
const LABELS = `${CONSUMER}labels.`;

type Facts = Pick<Stream, 'state' | 'states'>;

const row = (
  name: string,
  type: AttributeValue['type'],
  note: string,
  read: AttributeRow<Facts>['read'],
): AttributeRow<Facts> => ({ path: `consumer.${name}`, type, from: 'request', note, read });

/** Who sent a request, as far as a filter has found out. */
export const CONSUMER_ROWS: readonly AttributeRow<Facts>[] = [
  row('name', 'string', 'set by a filter that admits, such as api-key', (s) => told(s, NAME)),
  row('plan', 'string', 'the same', (s) => told(s, `${CONSUMER}plan`)),
  {
    ...row('labels', 'map', '`consumer.labels.<label>`; the same', (s) => ({
      type: 'map',
      value: s.states(LABELS).map(([label, { bytes }]) => [label, { type: 'string', value: bytes }]),
    })),
    readField: (s, label) => told(s, LABELS + label),
  },
];

/** The name of a stream's sender; empty: nobody has told. */
export function consumerOf(stream: Pick<Stream, 'state'>): string {
  const bytes = stream.state(NAME)?.bytes;
  if (bytes === undefined) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_NAME)).toString('utf8');
}

function told(stream: Pick<Stream, 'state'>, key: string): AttributeValue | undefined {
  const state = stream.state(key);
  return state === undefined ? undefined : { type: 'string', value: state.bytes };
}
