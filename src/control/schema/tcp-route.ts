import * as z from 'zod';
import { object } from './meta.ts';
import { backendRef, parentRef } from './reference.ts';
import { notYet, refuse, sectionName } from './scalar.ts';

const VERSIONS = ['gateway.networking.k8s.io/v1alpha2', 'gateway.networking.k8s.io/v1'] as const;

const rule = () =>
  z.strictObject({
    name: sectionName()
      .optional()
      .describe('sectionName of policies, and the name in logs. Default: the index.'),
    backendRefs: z
      .array(backendRef())
      .min(1)
      .max(16)
      .describe('Each connection goes to one of them. Weight 0: only if a filter chooses it.'),
  });

/** The one rule of a route of connections. */
export const connectionRules = (kind: string) =>
  z
    .array(rule())
    .min(1)
    .max(16)
    .superRefine((rules, ctx) => {
      if (rules.length === 1) return;
      refuse(ctx, 'WEIR1046', `a ${kind} has one rule: nothing in a connection could choose another`, [1]);
    })
    .describe('Exactly one.');

export const tcpRoute = object(
  VERSIONS,
  'TCPRoute',
  z.strictObject({
    parentRefs: z
      .array(parentRef())
      .min(1)
      .max(32)
      .describe('The Gateways or listeners to attach to, of protocol TCP or TLS.'),
    rules: connectionRules('TCPRoute'),
    useDefaultGateways: notYet('Attaches to default Gateways.'),
  }),
).describe('Where the connections of a TCP listener go.');
