import * as z from 'zod';
import { DEFAULT_LISTENER_LIMITS } from '../../runtime/snapshot.ts';
import { object } from './meta.ts';
import { targetRef } from './reference.ts';
import { byteRate, duration, expression, integer, notYet, oneOf, refuse, size } from './scalar.ts';

const VERSIONS = ['policy.weir/v1alpha1'] as const;
const HOUR = 3_600_000;
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

export const RETRY_WORDS = [
  '5xx',
  'gateway-error',
  'reset',
  'connect-failure',
  'refused-stream',
  'retriable-4xx',
] as const;

/** Fields that `enforced` may list, each a path under `spec`. */
export const TRAFFIC_FIELDS = [
  'timeouts.request',
  'timeouts.perTry',
  'timeouts.idle',
  'retry.on',
  'retry.attempts',
  'retry.backoff.base',
  'retry.backoff.max',
  'retry.honorRetryAfter',
  'retry.budget.percent',
  'retry.budget.minPerSecond',
  'retry.budget.window',
  'retry.replayBodyUpTo',
  'retry.onlyIdempotent',
  'retry.avoidPreviousHost',
  'limits.requestBody',
  'limits.responseBody',
  'limits.target',
  'limits.head',
  'limits.fields',
  'bandwidth.request',
  'bandwidth.response',
  'bandwidth.burst',
] as const;

const retry = () =>
  z.strictObject({
    on: z
      .array(z.union([z.enum(RETRY_WORDS), integer(400, 599)]))
      .max(32)
      .optional()
      .describe(`When: ${RETRY_WORDS.join(', ')}, or a status. Default: connect-failure, reset.`),
    attempts: integer(1, 10)
      .optional()
      .describe('In total, the first one included; 1 switches retries off. Default: 2.'),
    backoff: z
      .strictObject({
        base: duration(0, 60_000)
          .optional()
          .describe('Before the second attempt; doubles with each further one. Default: 25ms.'),
        max: duration(0, 60_000).optional().describe('Longest wait. Default: 250ms.'),
        jitter: oneOf(['full', 'none'], ['full']).optional().describe('full: a random part of the wait.'),
        honorRetryAfter: z.boolean().optional().describe('Alias of retry.honorRetryAfter.'),
      })
      .optional(),
    honorRetryAfter: z
      .boolean()
      .optional()
      .describe(
        'Wait as long as the upstream asks with Retry-After, where the time of the request allows. Default: true.',
      ),
    budget: z
      .strictObject({
        percent: z
          .number()
          .min(0)
          .max(100)
          .optional()
          .describe('Retries may add this share to the requests. Default: 20.'),
        minPerSecond: z
          .number()
          .min(0)
          .max(100_000)
          .optional()
          .describe('Retries that are always allowed. Default: 5.'),
        window: duration(1000, 60_000).optional().describe('Over which the share is taken. Default: 10s.'),
      })
      .optional(),
    replayBodyUpTo: size(0, 16 * MiB)
      .optional()
      .describe('Requests with a larger body are not retried. Default: 64Ki.'),
    onlyIdempotent: z
      .boolean()
      .optional()
      .describe('Only methods that may be sent twice, unless the upstream cannot have acted. Default: true.'),
    avoidPreviousHost: z.boolean().optional().describe('Prefer another endpoint. Default: true.'),
    hedge: notYet('A second attempt in parallel.'),
  });

const limits = () =>
  z.strictObject({
    requestBody: size(0, 1024 * GiB)
      .optional()
      .describe(
        'Body of a request: 413 beyond, at once where it is announced. 0: none. Default: no limit of its own.',
      ),
    responseBody: size(0, 1024 * GiB)
      .optional()
      .describe(
        'Body of an upstream’s answer: 502 beyond, or the answer is cut where its head has gone out. Default: no limit of its own.',
      ),
    target: size(1, MiB)
      .optional()
      .describe('Request target as it came, the query included; 414 beyond. Default: that of the listener.'),
    head: size(64, MiB)
      .optional()
      .describe('Request line and all fields as they came; 431 beyond. Default: that of the listener.'),
    fields: integer(1, 1000)
      .optional()
      .describe('Number of fields as they came; 431 beyond. Default: that of the listener.'),
  });

const bandwidth = () =>
  z.strictObject({
    request: byteRate(4096, 100 * GiB)
      .optional()
      .describe('Bytes a second of the body that each request may bring.'),
    response: byteRate(4096, 100 * GiB)
      .optional()
      .describe('Bytes a second of the body that each answer may take.'),
    burst: size(1, GiB)
      .optional()
      .describe(
        'What may go on at once, and is saved up while nothing does, for each of them. Default: 64Ki.',
      ),
  });

export const trafficPolicySpec = z
  .strictObject({
    targetRefs: z
      .array(targetRef(['Gateway', 'HTTPRoute', 'TCPRoute', 'TLSRoute', 'Upstream']))
      .min(1)
      .max(64)
      .describe(
        'A Gateway, a listener, a route or a rule. For a TCPRoute or TLSRoute: timeouts.idle, and retry of connecting.',
      ),
    timeouts: z
      .strictObject({
        request: duration()
          .optional()
          .describe('Whole request, all attempts included. 0s: no limit. Default: 5m.'),
        perTry: duration()
          .optional()
          .describe('One attempt, until the head of its answer. Default: no limit of its own.'),
        idle: duration()
          .optional()
          .describe('No byte in either direction. 0s: no limit. Default: 5m, for a TCPRoute or TLSRoute 1h.'),
        connect: notYet('Time to connect.', 'use timeouts.connect of the Upstream'),
      })
      .optional(),
    retry: retry().optional().describe('Present: failed attempts are retried.'),
    limits: limits()
      .optional()
      .describe('How large messages may be. Those of a ListenerPolicy hold before them.'),
    bandwidth: bandwidth()
      .optional()
      .describe('How fast bodies go on, and what an upgraded connection carries.'),
    enforced: z
      .array(z.enum([...TRAFFIC_FIELDS, 'timeouts', 'retry', 'limits', 'bandwidth']))
      .default([])
      .describe('Fields that policies of inner scopes must not change.'),
    mirror: notYet('Options for mirrored requests.'),
    sessionPersistence: notYet('Keeps a client on one endpoint.'),
    fault: notYet('Injected faults.'),
  })
  .superRefine((spec, ctx) => {
    for (const [i, target] of spec.targetRefs.entries()) {
      if (target.kind === 'Upstream')
        refuse(ctx, 'WEIR1045', '"Upstream" as a target is not supported yet', ['targetRefs', i, 'kind']);
    }
    const target = spec.targetRefs.find(({ kind }) => kind === 'TCPRoute' || kind === 'TLSRoute');
    if (target !== undefined) checkTcp(spec, target.kind, ctx);
  });

/** What is about requests has no meaning for connections, and must not look as if it had. */
function checkTcp(spec: TcpFields, kind: string, ctx: z.RefinementCtx): void {
  const { timeouts, retry } = spec;
  for (const field of ['request', 'perTry'] as const) {
    if (timeouts?.[field] === undefined) continue;
    refuse(ctx, 'WEIR1046', `must not be set for a ${kind}, where timeouts.idle alone has a meaning`, [
      'timeouts',
      field,
    ]);
  }
  for (const field of ['limits', 'bandwidth'] as const) {
    if (spec[field] !== undefined)
      refuse(ctx, 'WEIR1046', `must not be set for a ${kind}: it is about requests`, [field]);
  }
  if (retry?.on !== undefined && !retry.on.includes('connect-failure')) {
    const message = `must list connect-failure for a ${kind}: nothing else of it can be tried again`;
    refuse(ctx, 'WEIR1046', message, ['retry', 'on']);
  }
}

interface TcpFields {
  readonly timeouts?: { readonly request?: unknown; readonly perTry?: unknown } | undefined;
  readonly limits?: unknown;
  readonly bandwidth?: unknown;
  readonly retry?: { readonly on?: readonly (string | number)[] | undefined } | undefined;
}

export const trafficPolicy = object(VERSIONS, 'TrafficPolicy', trafficPolicySpec).describe(
  'Timeouts, retries, limits and rates. Policies of inner scopes win, field by field.',
);

const limit = DEFAULT_LISTENER_LIMITS;

export const listenerPolicySpec = z.strictObject({
  targetRefs: z
    .array(targetRef(['Gateway']))
    .min(1)
    .max(64)
    .describe('A Gateway, or one listener of it by sectionName.'),
  limits: z
    .strictObject({
      head: size(1024, MiB).optional().describe('Request line and all fields; 431 beyond. Default: 60Ki.'),
      target: size(64, MiB).optional().describe('Request target; 414 beyond. Default: 16Ki.'),
      field: size(64, MiB).optional().describe('One field; 431 beyond. Default: 16Ki.'),
      fields: integer(1, 1000).optional().describe(`Number of fields; 431 beyond. Default: ${limit.fields}.`),
      requestsPerConnection: integer(0, 1_000_000_000)
        .optional()
        .describe(`Then the connection is closed; 0: no limit. Default: ${limit.requestsPerConnection}.`),
      connections: integer(1, 1_000_000).optional().describe(`Per worker. Default: ${limit.connections}.`),
      connectionsPerAddress: integer(0, 1_000_000)
        .optional()
        .describe(`From one address, per worker; 0: no limit. Default: ${limit.connectionsPerAddress}.`),
      bodyRate: size(0, 1024 * MiB)
        .optional()
        .describe('Bytes a second that a body must bring after 30 s; 0: no limit. Default: 1Ki.'),
    })
    .optional(),
  timeouts: z
    .strictObject({
      head: duration(100, HOUR)
        .optional()
        .describe('From its first byte to its last; 408 beyond. Default: 10s.'),
      tlsHandshake: duration(100, HOUR).optional().describe('Default: 10s.'),
      idle: duration(100, 24 * HOUR)
        .optional()
        .describe('Between requests on a connection. Default: 1m.'),
      body: duration(100, 24 * HOUR)
        .optional()
        .describe('Without a byte of the body. Default: 1m.'),
      write: duration(100, 24 * HOUR)
        .optional()
        .describe('Without progress of a client that reads. Default: 1m.'),
    })
    .optional(),
  trustedHops: integer(0, 16)
    .optional()
    .describe(
      'Proxies in front whose X-Forwarded-* fields are believed, counted from the right. Default: 0, none.',
    ),
  forwardedClientCert: z
    .strictObject({
      mode: z
        .enum(['Sanitize', 'ForwardOnly', 'AppendForward', 'SanitizeSet', 'AlwaysForwardOnly'])
        .optional()
        .describe(
          'Sanitize: X-Forwarded-Client-Cert is left out. ForwardOnly: that of a client with a valid certificate goes on. AppendForward: the same, and an element for its own certificate is added. SanitizeSet: that element alone. AlwaysForwardOnly: it goes on from whoever sends it, for ports that trusted proxies alone can reach. Default: Sanitize.',
        ),
      details: z
        .array(z.enum(['Subject', 'URI', 'DNS', 'Cert']))
        .max(4)
        .optional()
        .describe(
          'What an element says of a certificate beside its Hash, and By. Default: Subject, URI, DNS.',
        ),
    })
    .optional()
    .describe('What upstreams and filters learn of certificates of clients, in Envoy’s form.'),
  path: z
    .strictObject({
      escapedSlashes: z
        .enum(['Reject', 'Keep', 'Decode'])
        .optional()
        .describe('%2F and %5C in paths. Default: Reject.'),
      backslash: z
        .enum(['Reject', 'Decode'])
        .optional()
        .describe('A backslash in paths: 400, or read as a slash. Default: Reject.'),
      mergeSlashes: z.boolean().optional().describe('// counts as /. Default: true.'),
      parameters: z
        .enum(['Keep', 'Reject', 'Remove'])
        .optional()
        .describe(
          'Parameters of segments, as in /private;x=1: part of the name, 400 (also %3B), or left out before routes, filters and the upstream see the path. A server that leaves them out itself, such as Tomcat or Jetty, reads /private;x as /private, which a route or chain for /private does not take: not Keep before one. Default: Keep; a dot segment with parameters (/..;/) is refused in any case.',
        ),
    })
    .optional(),
  headers: z
    .strictObject({
      underscores: z
        .enum(['Reject', 'Drop', 'Allow'])
        .optional()
        .describe('Field names with "_". Default: Reject.'),
      server: z
        .string()
        .regex(/^[!-~]*$/)
        .max(256)
        .optional()
        .describe('Replaces the Server field of answers. Default: that of the upstream.'),
    })
    .optional(),
  tls: z
    .strictObject({
      minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('Default: TLSv1.2.'),
    })
    .optional(),
  proxyProtocol: notYet('PROXY protocol of load balancers.'),
  http2: notYet('HTTP/2 settings.'),
});

export const listenerPolicy = object(VERSIONS, 'ListenerPolicy', listenerPolicySpec).describe(
  'Limits and times of connections from clients.',
);

export const telemetrySpec = z.strictObject({
  targetRefs: notYet('Where it holds.', 'it holds everywhere'),
  accessLog: z
    .strictObject({
      mode: z.enum(['Off', 'Json']).optional().describe('Json: one line a request. Default: Json.'),
      path: z.enum(['stdout', 'stderr']).optional().describe('Default: stdout.'),
      fields: z
        .record(z.string(), expression())
        .superRefine((fields, ctx) => {
          const names = Object.keys(fields);
          if (names.length > 16) refuse(ctx, 'WEIR1044', 'takes at most 16 fields');
          for (const name of names)
            if (!/^[a-zA-Z][\w.-]{0,63}$/.test(name))
              refuse(ctx, 'WEIR1044', 'must have a name of letters, digits, ".", "_" and "-"', [name]);
        })
        .optional()
        .describe(
          'Fields of each line, under `fields`: name to a CEL expression over properties, such as metadata.filter_metadata.auth.user. null where it has no value.',
        ),
      format: notYet('The line as a whole.'),
    })
    .optional(),
  metrics: z
    .strictObject({
      consumers: z
        .int()
        .min(1)
        .max(10_000)
        .optional()
        .describe(
          'How many consumers have series of their own in `weir_consumer_requests_total`; further ones are counted as `other`. Default: there is no such metric.',
        ),
    })
    .optional(),
  tracing: notYet('Traces.'),
});

export const telemetry = object(VERSIONS, 'Telemetry', telemetrySpec).describe(
  'What weir reports about requests.',
);
