import * as z from 'zod';
import { object } from './meta.ts';
import { parentRef } from './reference.ts';
import { hostname, notYet } from './scalar.ts';
import { connectionRules } from './tcp-route.ts';

const VERSIONS = [
  'gateway.networking.k8s.io/v1',
  'gateway.networking.k8s.io/v1alpha3',
  'gateway.networking.k8s.io/v1alpha2',
] as const;

export const tlsRoute = object(
  VERSIONS,
  'TLSRoute',
  z.strictObject({
    parentRefs: z
      .array(parentRef())
      .min(1)
      .max(32)
      .describe('The Gateways or listeners to attach to, of protocol TLS and mode Passthrough.'),
    hostnames: z
      .array(hostname())
      .max(16)
      .default([])
      .describe('Only connections that ask for these names (SNI). Default: those of the listener.'),
    rules: connectionRules('TLSRoute'),
    useDefaultGateways: notYet('Attaches to default Gateways.'),
  }),
).describe('Where connections of TLS go that ends at the upstream, by server name.');
