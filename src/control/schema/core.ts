import { isIP } from 'node:net';
import * as z from 'zod';
import { metadata, object, status } from './meta.ts';
import { integer, port } from './scalar.ts';

const text = () => z.record(z.string(), z.string());
const ignored = () => z.unknown().optional().describe('Ignored.');
const portOrName = () => z.union([integer(1, 65_535), z.string()]);

const servicePort = () =>
  z.strictObject({
    name: z.string().optional().describe('Pairs with the port of the same name in an EndpointSlice.'),
    port: port().describe('What backendRefs name.'),
    protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
    targetPort: portOrName().optional().describe('Ignored: the EndpointSlice says the port.'),
    nodePort: ignored(),
    appProtocol: z.string().optional().describe('kubernetes.io/ws and http are accepted.'),
  });

export const service = object(
  ['v1'],
  'Service',
  z.strictObject({
    ports: z.array(servicePort()).default([]),
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
    externalName: z.string().optional().describe('With type ExternalName: the DNS name to send to.'),
    selector: ignored(),
    clusterIP: ignored(),
    clusterIPs: ignored(),
    sessionAffinity: ignored(),
    sessionAffinityConfig: ignored(),
    ipFamilies: ignored(),
    ipFamilyPolicy: ignored(),
    internalTrafficPolicy: ignored(),
    externalTrafficPolicy: ignored(),
    externalIPs: ignored(),
    healthCheckNodePort: ignored(),
    loadBalancerClass: ignored(),
    loadBalancerIP: ignored(),
    loadBalancerSourceRanges: ignored(),
    allocateLoadBalancerNodePorts: ignored(),
    publishNotReadyAddresses: ignored(),
    trafficDistribution: ignored(),
  }),
).describe('A backend as Kubernetes has it; its endpoints come from EndpointSlices.');

export const endpointSlice = z
  .strictObject({
    apiVersion: z.literal('discovery.k8s.io/v1'),
    kind: z.literal('EndpointSlice'),
    metadata: metadata(),
    addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
    endpoints: z.array(
      z.strictObject({
        addresses: z
          .array(z.string().refine((value) => isIP(value) !== 0, { error: 'must be an IP address' }))
          .min(1)
          .max(100),
        conditions: z
          .strictObject({
            ready: z.boolean().nullish().describe('false: gets no requests.'),
            serving: z.boolean().nullish(),
            terminating: z.boolean().nullish(),
          })
          .optional(),
        hostname: ignored(),
        nodeName: ignored(),
        zone: ignored(),
        hints: ignored(),
        targetRef: ignored(),
        deprecatedTopology: ignored(),
      }),
    ),
    ports: z
      .array(
        z.strictObject({
          name: z.string().nullish(),
          port: port().optional(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
          appProtocol: ignored(),
        }),
      )
      .default([]),
  })
  .describe('Addresses of a Service, tied to it by the label kubernetes.io/service-name.');

const base64 = () =>
  z.string().refine((value) => /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value), {
    error: 'must be base64 (for plain text use stringData)',
  });

export const secret = z
  .strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('Secret'),
    metadata: metadata(),
    type: z.string().default('Opaque').describe('kubernetes.io/tls for certificates.'),
    data: z.record(z.string(), base64()).default({}).describe('Values in base64.'),
    stringData: text().default({}).describe('Values as plain text; wins over data.'),
    immutable: z.boolean().optional(),
  })
  .describe(
    'Certificates (tls.crt, tls.key), bundles of authorities (ca.crt), credentials for registries (.dockerconfigjson, or username and password). Never printed.',
  );

export const configMap = z
  .strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('ConfigMap'),
    metadata: metadata(),
    data: text().default({}),
    binaryData: z.record(z.string(), base64()).optional().describe('Ignored.'),
    immutable: z.boolean().optional(),
  })
  .describe('Bundles of authorities (ca.crt) that Upstreams refer to.');

export const namespace = z
  .strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('Namespace'),
    metadata: metadata(),
    spec: ignored(),
    status: status(),
  })
  .describe('Carries the labels that allowedRoutes.namespaces.selector reads. Not needed otherwise.');
