import * as z from 'zod';
import { object } from './meta.ts';
import { targetRef } from './reference.ts';
import {
  group,
  kind,
  namespaceName,
  notYet,
  objectName,
  oneOf,
  port,
  refuse,
  sectionName,
  size,
} from './scalar.ts';

const USE = /^(module\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

const callout = () =>
  z.strictObject({
    as: z.string().min(1).max(253).optional().describe('The name that the module uses. Default: `name`.'),
    group: group().default('policy.weir'),
    kind: kind().default('Upstream').describe('Upstream or Service.'),
    namespace: namespaceName().optional(),
    name: objectName(),
    port: port().optional().describe('Required for a Service.'),
  });

const filter = () =>
  z.strictObject({
    name: sectionName().describe('Unique in the chain; in logs and metrics.'),
    use: z
      .string()
      .max(260)
      .regex(USE, { error: 'must be the name of a built-in filter or module/<name>' })
      .describe('A built-in filter (headers, api-key, jwt, rate-limit, …) or module/<name>.'),
    config: z
      .unknown()
      .optional()
      .describe(
        'The module receives it as JSON text; a plain string as it is. Built-in filters check it against their schema. `{secretRef: {name, key}}`, with an optional `prefix` beside it, stands for a value of a Secret of the namespace.',
      ),
    mode: oneOf(['Enforce', 'Shadow', 'Off'], ['Enforce', 'Off'])
      .default('Enforce')
      .describe('Off: the filter is left out.'),
    onError: z
      .enum(['Deny', 'Skip'])
      .default('Deny')
      .describe('What happens to a request whose filter trapped: 500, or on as if it had not run.'),
    body: z
      .strictObject({
        buffer: size(1024, 64 * 1024 * 1024)
          .default(1024 * 1024)
          .describe('The largest body that the filter may hold back.'),
        onOverflow: z
          .enum(['Reject', 'Stream'])
          .default('Reject')
          .describe(
            'A larger one. Reject: 413, or 500 for an answer. Stream: it goes on, and the filter sees the rest in parts that it cannot hold back.',
          ),
        whileHeadHeld: z
          .enum(['Keep', 'Show'])
          .default('Keep')
          .describe(
            'Where a callback for a head answered StopIteration (Pause). Keep: the filter sees the body when it has let go of the head. Show: it sees the body at once and may change the head until it answers Continue.',
          ),
      })
      .prefault({}),
    callouts: z.array(callout()).max(32).default([]).describe('The upstreams that the module may call.'),
    store: objectName()
      .optional()
      .describe('The Store of the namespace that counts for all proxies, for filters with `scope: cluster`.'),
    properties: z
      .enum(['Envoy', 'Text'])
      .default('Envoy')
      .describe(
        'How the module gets numbers, times and booleans of properties: in binary, as from Envoy, or as text, as from ngx_wasm_module.',
      ),
    rootId: z.string().max(253).default('').describe('For modules that hold several root contexts.'),
    when: notYet('A condition for the filter to run.'),
  });

export const filterChainSpec = z
  .strictObject({
    targetRefs: z
      .array(targetRef(['Gateway', 'HTTPRoute', 'TCPRoute', 'TLSRoute', 'Upstream']))
      .max(64)
      .default([])
      .describe(
        'Where the chain runs: a Gateway, a listener, a route, a rule. Or refer to the chain by an ExtensionRef.',
      ),
    filters: z
      .array(filter())
      .max(64)
      .describe('In the order in which requests pass; answers pass backwards.'),
    inherit: z
      .boolean()
      .default(true)
      .describe('false, on a route or rule: chains of outer scopes do not run, unless they are enforced.'),
    enforced: z
      .boolean()
      .default(false)
      .describe('true: inherit: false of an inner scope does not cut this chain off.'),
    placement: z
      .strictObject({
        before: sectionName().optional().describe('Run before this filter of an outer chain.'),
        after: sectionName().optional().describe('Run after this filter of an outer chain.'),
      })
      .superRefine((value, ctx) => {
        if ((value.before === undefined) === (value.after === undefined)) {
          refuse(ctx, 'WEIR1046', 'placement needs exactly one of before and after');
        }
      })
      .optional()
      .describe('Default: after all chains of outer scopes.'),
  })
  .superRefine((spec, ctx) => {
    const names = new Set<string>();
    for (const [i, item] of spec.filters.entries()) {
      if (names.has(item.name))
        refuse(ctx, 'WEIR1046', `filter name "${item.name}" is used twice in this chain`, [
          'filters',
          i,
          'name',
        ]);
      names.add(item.name);
    }
    for (const [i, target] of spec.targetRefs.entries()) {
      if (target.kind === 'Upstream')
        refuse(ctx, 'WEIR1045', '"Upstream" as a target is not supported yet', ['targetRefs', i, 'kind']);
    }
  });

export const filterChain = object(['policy.weir/v1alpha1'], 'FilterChain', filterChainSpec).describe(
  'An ordered list of filters and where they run.',
);

export type FilterChainSpec = z.output<typeof filterChainSpec>;
export type FilterConfig = FilterChainSpec['filters'][number];
