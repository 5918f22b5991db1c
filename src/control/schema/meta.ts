import * as z from 'zod';
import { namespaceName, objectName } from './scalar.ts';

const text = () => z.record(z.string(), z.string());

/**
 * Kubernetes' ObjectMeta. What an API server writes into it is accepted, so that the output of
 * `kubectl get -o yaml` can be used as it is; weir reads name, namespace, labels, annotations and
 * creationTimestamp.
 */
export const metadata = () =>
  z.strictObject({
    name: objectName().describe('Identifies the object among those of its kind and namespace.'),
    namespace: namespaceName()
      .default('default')
      .describe('References stay inside it unless a ReferenceGrant allows more.'),
    labels: text().default({}).describe('Free; selectors read them.'),
    annotations: text()
      .optional()
      .describe(
        'Free. Filters read those of Gateways, routes, Upstreams and Services as metadata (docs/properties.md).',
      ),
    creationTimestamp: z.string().nullish().describe('Older routes win ties between matches.'),
    generateName: z.string().optional().describe('Ignored.'),
    uid: z.string().optional().describe('Ignored.'),
    resourceVersion: z.string().optional().describe('Ignored.'),
    generation: z.number().optional().describe('Ignored.'),
    selfLink: z.string().optional().describe('Ignored.'),
    finalizers: z.array(z.string()).optional().describe('Ignored.'),
    ownerReferences: z.array(z.unknown()).optional().describe('Ignored.'),
    managedFields: z.array(z.unknown()).optional().describe('Ignored.'),
    deletionTimestamp: z.string().nullish().describe('Ignored.'),
    deletionGracePeriodSeconds: z.number().nullish().describe('Ignored.'),
  });

/** Metadata of objects that belong to no namespace. */
export const clusterMetadata = metadata;

/** Written by controllers; accepted and ignored. */
export const status = () => z.unknown().optional().describe('Written by controllers; ignored.');

/** An object as Kubernetes writes one: apiVersion, kind, metadata, spec. */
export function object<const V extends string, const K extends string, S extends z.ZodType>(
  versions: readonly [V, ...V[]],
  kindName: K,
  spec: S,
) {
  return z.strictObject({
    apiVersion: z.enum(versions),
    kind: z.literal(kindName),
    metadata: metadata(),
    spec,
    status: status(),
  });
}
