import { isIP } from 'node:net';
import * as z from 'zod';
import { object, clusterMetadata, status } from './meta.ts';
import { certificateRef, GATEWAY_GROUP } from './reference.ts';
import {
  group,
  hostname,
  kind,
  namespaceName,
  notYet,
  objectName,
  oneOf,
  port,
  refuse,
  sectionName,
} from './scalar.ts';

const VERSIONS = ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'] as const;

export const labelSelector = () =>
  z.strictObject({
    matchLabels: z.record(z.string(), z.string()).default({}),
    matchExpressions: z
      .array(
        z.strictObject({
          key: z.string(),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: z.array(z.string()).default([]),
        }),
      )
      .default([]),
  });

const allowedRoutes = () =>
  z.strictObject({
    namespaces: z
      .strictObject({
        from: z.enum(['All', 'Selector', 'Same']).default('Same').describe('Whose routes may attach.'),
        selector: labelSelector().optional().describe('With from Selector: labels of Namespace objects.'),
      })
      .prefault({}),
    kinds: z
      .array(z.strictObject({ group: group().default(GATEWAY_GROUP), kind: kind() }))
      .max(8)
      .optional()
      .describe('Default: every kind that fits the protocol.'),
  });

const listenerTls = () =>
  z.strictObject({
    mode: z
      .enum(['Terminate', 'Passthrough'])
      .default('Terminate')
      .describe('Passthrough, for protocol TLS: it ends at the upstream; TLSRoutes go by server name.'),
    certificateRefs: z
      .array(certificateRef())
      .max(64)
      .default([])
      .describe(
        'The certificate is chosen by the name that the client asks for; the first one is the default.',
      ),
    options: notYet('Implementation-specific options.', 'use a ListenerPolicy'),
  });

const listener = () =>
  z.strictObject({
    name: sectionName().describe('Unique in the Gateway; sectionName of references.'),
    hostname: hostname().optional().describe('Exact or *.example.com. Any where left out. Not for TCP.'),
    port: port(),
    protocol: oneOf(['HTTP', 'HTTPS', 'TLS', 'TCP', 'UDP'], ['HTTP', 'HTTPS', 'TLS', 'TCP']).describe(
      'HTTP and HTTPS take HTTPRoutes; TCP, and TLS that ends here, a TCPRoute; TLS that passes through TLSRoutes.',
    ),
    tls: listenerTls().optional().describe('Required for HTTPS and TLS, forbidden for HTTP and TCP.'),
    allowedRoutes: allowedRoutes().prefault({}),
  });

type Listener = z.output<ReturnType<typeof listener>>;

function checkListener(item: Listener, path: (string | number)[], ctx: z.RefinementCtx): void {
  const secure = item.protocol === 'HTTPS' || item.protocol === 'TLS';
  const through = item.tls?.mode === 'Passthrough';
  if (through && item.protocol === 'HTTPS') {
    const message = 'Passthrough is for protocol TLS: what passes through is not known to be HTTP';
    refuse(ctx, 'WEIR1046', message, [...path, 'tls', 'mode']);
  }
  if (through && item.tls!.certificateRefs.length > 0) {
    const message = 'must not be set with mode Passthrough, where the upstream has the certificates';
    refuse(ctx, 'WEIR1046', message, [...path, 'tls', 'certificateRefs']);
  }
  if (!secure && item.tls !== undefined) {
    const meant = item.protocol === 'HTTP' ? 'HTTPS' : 'TLS';
    const message = `must not be set for protocol ${item.protocol}; did you mean protocol: ${meant}?`;
    refuse(ctx, 'WEIR1046', message, [...path, 'tls']);
  }
  if (item.protocol === 'TCP' && item.hostname !== undefined) {
    const message = 'must not be set for protocol TCP: without TLS a connection names no host';
    refuse(ctx, 'WEIR1046', message, [...path, 'hostname']);
  }
  if (secure && !through && (item.tls?.certificateRefs.length ?? 0) === 0) {
    const at = item.tls === undefined ? path : [...path, 'tls'];
    refuse(ctx, 'WEIR1041', `protocol ${item.protocol} needs tls.certificateRefs`, at);
  }
}

const gatewayAddress = () =>
  z.strictObject({
    type: oneOf(['IPAddress', 'Hostname', 'NamedAddress'], ['IPAddress']).default('IPAddress'),
    value: z
      .string()
      .refine((value) => isIP(value) !== 0, { error: 'must be an IP address, such as 127.0.0.1 or ::1' })
      .optional()
      .describe('The address to bind; 0.0.0.0 where left out.'),
  });

const clientValidation = () =>
  z.strictObject({
    validation: z
      .strictObject({
        caCertificateRefs: z
          .array(
            z.strictObject({
              group: group().default(''),
              kind: oneOf(['ConfigMap', 'Secret'], ['ConfigMap', 'Secret']).default('ConfigMap'),
              namespace: namespaceName()
                .optional()
                .describe('Default: that of the Gateway. Another one needs a ReferenceGrant.'),
              name: objectName(),
            }),
          )
          .min(1)
          .max(8)
          .describe('ConfigMaps or Secrets with ca.crt, PEM: authorities of client certificates.'),
        mode: z
          .enum(['AllowValidOnly', 'AllowInsecureFallback'])
          .default('AllowValidOnly')
          .describe(
            'AllowValidOnly: no connection without a certificate of one of the authorities. AllowInsecureFallback: other connections come in as well, and count as without a certificate.',
          ),
      })
      .optional()
      .describe('Present: clients are asked for a certificate.'),
  });

const gatewayTls = () =>
  z.strictObject({
    backend: notYet('The certificate that weir shows to upstreams.', 'use tls of the Upstream'),
    frontend: z
      .strictObject({
        default: clientValidation()
          .prefault({})
          .describe('For all ports of protocol HTTPS, and TLS that ends here.'),
        perPort: z
          .array(z.strictObject({ port: port(), tls: clientValidation() }))
          .max(64)
          .default([])
          .describe('In place of the default.'),
      })
      .optional()
      .describe(
        'Certificates of clients. They hold for a port, since a connection serves all of its hostnames.',
      ),
  });

export const gatewaySpec = z
  .strictObject({
    gatewayClassName: objectName().default('weir').describe('May be left out.'),
    addresses: z
      .array(gatewayAddress())
      .max(16)
      .default([])
      .describe(
        'Addresses to bind, each with every port of the listeners. Default: 0.0.0.0. Use "::" to serve IPv6 too.',
      ),
    listeners: z.array(listener()).min(1).max(64),
    infrastructure: notYet('Labels and annotations of generated infrastructure.'),
    allowedListeners: notYet('Which ListenerSets may attach.'),
    tls: gatewayTls().optional(),
    defaultScope: notYet('Makes the Gateway a default for routes.'),
  })
  .superRefine((spec, ctx) => {
    const names = new Set<string>();
    for (const [i, item] of spec.listeners.entries()) {
      if (names.has(item.name)) {
        refuse(ctx, 'WEIR1046', `listener name "${item.name}" is used twice in this Gateway`, [
          'listeners',
          i,
          'name',
        ]);
      }
      names.add(item.name);
      checkListener(item, ['listeners', i], ctx);
    }
    const ports = new Set<number>();
    for (const [i, item] of (spec.tls?.frontend?.perPort ?? []).entries()) {
      const path = ['tls', 'frontend', 'perPort', i, 'port'];
      if (ports.has(item.port)) refuse(ctx, 'WEIR1046', `port ${item.port} stands here twice`, path);
      if (
        !spec.listeners.some((listener) => listener.port === item.port && listener.tls?.mode === 'Terminate')
      )
        refuse(ctx, 'WEIR1046', `no listener of this Gateway ends TLS on port ${item.port}`, path);
      ports.add(item.port);
    }
  });

export const gateway = object(VERSIONS, 'Gateway', gatewaySpec).describe(
  'Addresses and ports that weir accepts connections on.',
);

export const gatewayClass = z
  .strictObject({
    apiVersion: z.enum(VERSIONS),
    kind: z.literal('GatewayClass'),
    metadata: clusterMetadata(),
    spec: z.strictObject({
      controllerName: z.string().max(253),
      description: z.string().max(64).optional(),
      parametersRef: notYet('Parameters of the controller.'),
    }),
    status: status(),
  })
  .describe('Optional: weir serves every Gateway that it is given.');

export const referenceGrant = object(
  [...VERSIONS, 'gateway.networking.k8s.io/v1alpha2'],
  'ReferenceGrant',
  z.strictObject({
    from: z
      .array(z.strictObject({ group: group(), kind: kind(), namespace: namespaceName() }))
      .min(1)
      .max(16)
      .describe('Who may refer.'),
    to: z
      .array(z.strictObject({ group: group(), kind: kind(), name: objectName().optional() }))
      .min(1)
      .max(16)
      .describe('To what in the namespace of the grant.'),
  }),
).describe('Lets objects of other namespaces refer to objects of this one.');

export type GatewaySpec = z.output<typeof gatewaySpec>;
export type ListenerConfig = GatewaySpec['listeners'][number];
export type LabelSelector = z.output<ReturnType<typeof labelSelector>>;
