import { GROUP, metadata, type MetadataSpec } from './attribute-values.ts';
import { METADATA_PREFIX, OWN_PREFIX } from './filter-state.ts';
import type { AttributeValue, StateValue, StreamHost } from './stream-host.ts';

const FILTER_STATE = 'filter_state\0';

/**
 * What is known of a stream, for whoever is no plugin: built in, kept by filters, or dynamic metadata.
 *
 * @param path segments joined by one NUL
 */
export function streamProperty(stream: StreamHost, path: string): AttributeValue | undefined {
  const builtIn = stream.attribute(path);
  if (builtIn !== undefined) return builtIn;
  if (path === 'metadata') return dynamicMetadata(stream.states(METADATA_PREFIX));
  if (path === 'filter_state') return GROUP;
  if (path.startsWith(FILTER_STATE)) return stateAttribute(stream.state(path.slice(FILTER_STATE.length)));
  const key = OWN_PREFIX + path;
  return stateAttribute(stream.state(key)) ?? (stream.states(`${key}\0`).length > 0 ? GROUP : undefined);
}

/** A value that a filter keeps, as an attribute. */
export function stateAttribute(state: StateValue | undefined): AttributeValue | undefined {
  if (state === undefined) return undefined;
  return { type: state.type === 'string' ? 'string' : 'bytes', value: state.bytes };
}

/** @param states keys of `METADATA_PREFIX` without it: namespace, NUL, key. Of two with one key the last counts. */
export function dynamicMetadata(
  states: ReadonlyArray<readonly [rest: string, value: StateValue]>,
): AttributeValue {
  const namespaces = new Map<string, Map<string, Uint8Array>>();
  for (const [rest, { bytes }] of states) {
    const at = rest.indexOf('\0');
    const namespace = rest.slice(0, at);
    const values = namespaces.get(namespace) ?? new Map<string, Uint8Array>();
    namespaces.set(namespace, values.set(rest.slice(at + 1), bytes));
  }
  const spec: MetadataSpec = [...namespaces].map(([namespace, values]) => [namespace, [...values]] as const);
  return metadata(spec);
}
