import type { Metadata } from '../runtime/snapshot.ts';
import { compareText } from './config.ts';

/** Where annotations without a prefix go. */
const OWN_NAMESPACE = 'weir';
/** What kubectl writes is a copy of the object. */
const LEFT_OUT = 'kubectl.kubernetes.io';

/** The annotations of an object as filters read them, sorted; `prefix/name` is `name` in namespace `prefix`. */
export function metadataOf(annotations: Readonly<Record<string, string>> = {}): Metadata {
  const namespaces = new Map<string, [key: string, value: string][]>();
  for (const name of Object.keys(annotations).sort(compareText)) {
    const at = name.indexOf('/');
    const namespace = at < 0 ? OWN_NAMESPACE : name.slice(0, at);
    if (namespace === LEFT_OUT) continue;
    const values = namespaces.get(namespace) ?? [];
    values.push([name.slice(at + 1), annotations[name]!]);
    namespaces.set(namespace, values);
  }
  return [...namespaces];
}
