import type { Config } from './config.ts';

/** What refers, or is referred to. */
export interface Reference {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * Whether a reference is allowed: inside one namespace always, over namespaces if a
 * ReferenceGrant in the namespace of the target says so (Gateway API, ReferenceGrant).
 */
export function isGranted(config: Config, from: Reference, to: Reference): boolean {
  if (from.namespace === to.namespace) return true;
  return config
    .all('ReferenceGrant')
    .filter((grant) => grant.namespace === to.namespace)
    .some(
      ({ value: { spec } }) =>
        spec.from.some(
          (source) =>
            source.group === from.group && source.kind === from.kind && source.namespace === from.namespace,
        ) &&
        spec.to.some(
          (target) =>
            target.group === to.group && target.kind === to.kind && (target.name ?? to.name) === to.name,
        ),
    );
}
