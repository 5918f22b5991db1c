import * as z from 'zod';
import { group, integer, kind, namespaceName, objectName, port, refuse, sectionName } from './scalar.ts';

export const GATEWAY_GROUP = 'gateway.networking.k8s.io';
export const POLICY_GROUP = 'policy.weir';

/** Gateway API ParentReference. */
export const parentRef = () =>
  z.strictObject({
    group: group().default(GATEWAY_GROUP),
    kind: kind().default('Gateway'),
    namespace: namespaceName().optional().describe('Default: the namespace of the route.'),
    name: objectName().describe('The Gateway.'),
    sectionName: sectionName().optional().describe('One listener of it; all that fit where left out.'),
    port: port().optional().describe('Only listeners on this port.'),
  });

/** Gateway API BackendRef. */
export const backendRef = () =>
  z.strictObject({
    group: group().default('').describe('"" for a Service, policy.weir for an Upstream.'),
    kind: kind().default('Service').describe('Service or Upstream.'),
    namespace: namespaceName()
      .optional()
      .describe('Default: that of the route. Another one needs a ReferenceGrant.'),
    name: objectName(),
    port: port().optional().describe('Required for a Service, not allowed for an Upstream.'),
    weight: integer(0, 1_000_000)
      .default(1)
      .describe('Share of the requests or connections, relative to the other backends.'),
  });

/** Gateway API SecretObjectReference. */
export const certificateRef = () =>
  z.strictObject({
    group: group().default('').describe('"" for a Secret, policy.weir for a Certificate.'),
    kind: kind().default('Secret').describe('Secret (type kubernetes.io/tls) or Certificate.'),
    namespace: namespaceName()
      .optional()
      .describe('Default: that of the Gateway. Another one needs a ReferenceGrant.'),
    name: objectName(),
  });

/** What a policy of weir attaches to; always in its own namespace. */
export const targetRef = <const K extends readonly [string, ...string[]]>(kinds: K) =>
  z.strictObject({
    group: group().optional().describe('Follows from the kind.'),
    kind: z.enum(kinds),
    name: objectName(),
    sectionName: sectionName()
      .optional()
      .describe(
        'A listener of the Gateway or a rule of the route; rules without name are called by their index.',
      ),
  });

/** A reference inside the namespace, for example to a Secret with a bundle of authorities. */
export const localRef = () => z.strictObject({ name: objectName() });

/** One value of a Secret of the namespace. */
export const secretValueRef = () =>
  z.strictObject({
    name: objectName().describe('A Secret of the namespace.'),
    key: z.string().min(1).max(253).describe('Which of its values.'),
  });
export type SecretValueRef = z.output<ReturnType<typeof secretValueRef>>;

/** Authorities to verify a certificate with. */
export const authorities = (field: string) =>
  z
    .strictObject({
      file: z.string().min(1).optional().describe('PEM bundle, relative to this YAML file.'),
      secret: localRef().optional().describe('A Secret with ca.crt.'),
      configMap: localRef().optional().describe('A ConfigMap with ca.crt.'),
    })
    .superRefine((ca, ctx) => {
      const given = [ca.file, ca.secret, ca.configMap].filter((source) => source !== undefined);
      if (given.length !== 1)
        refuse(ctx, 'WEIR1046', `${field} needs exactly one of file, secret, configMap`);
    })
    .optional()
    .describe('Authorities to trust. Default: those of the system.');
export type AuthoritySource = NonNullable<z.output<ReturnType<typeof authorities>>>;
