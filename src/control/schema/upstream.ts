import * as z from 'zod';
import { CALL_FRAMES, CALL_MS, REQUEST_MS, START_MS } from '../../runtime/wasm/limits.ts';
import { DEFAULT_CAPABILITIES, isCapability, CAPABILITY_WORDS } from '../../runtime/wasm/capabilities.ts';
import { suggest } from '../nearest.ts';
import { PHASES } from '../phase.ts';
import { object } from './meta.ts';
import { instances, moduleSchema, vm } from './module.ts';
import { moduleSource, refuseUnpinned } from './module-source.ts';
import { authorities } from './reference.ts';
import {
  address,
  duration,
  integer,
  notYet,
  objectName,
  oneOf,
  port,
  preciseHostname,
  refuse,
  size,
} from './scalar.ts';

const VERSIONS = ['policy.weir/v1alpha1'] as const;

const staticEndpoint = () =>
  z.strictObject({
    address: address().describe('IP address or DNS name.'),
    port: port(),
    weight: integer(1, 1000).default(1).describe('Share of the requests, relative to the other endpoints.'),
  });

const endpoints = () =>
  z
    .strictObject({
      static: z.array(staticEndpoint()).min(1).max(1000).optional().describe('Endpoints written out.'),
      dns: z
        .strictObject({
          name: address().describe('Every address that it resolves to is an endpoint.'),
          port: port(),
          refresh: duration(1000, 3_600_000).default(30_000).describe('Time between look-ups.'),
          type: notYet('Kind of DNS record.', 'A and AAAA are asked'),
        })
        .optional()
        .describe('Endpoints from DNS; with `static` too, both together.'),
      srv: notYet('Endpoints from SRV records.'),
      file: notYet('Endpoints from a file.'),
    })
    .superRefine((value, ctx) => {
      if (value.static === undefined && value.dns === undefined) {
        refuse(ctx, 'WEIR1041', 'endpoints needs static or dns');
      }
    });

const upstreamTls = () =>
  z.strictObject({
    serverName: preciseHostname()
      .optional()
      .describe('The name to ask for and to verify. Default: the name of dns endpoints.'),
    ca: authorities('ca'),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe('true: accepts any certificate, so anyone on the way can read and change the traffic.'),
  });

export const upstreamSpec = z
  .strictObject({
    endpoints: endpoints(),
    protocol: oneOf(['http/1.1', 'h2', 'h2c'], ['http/1.1'])
      .default('http/1.1')
      .describe('Spoken to the endpoints; gRPC calls of filters are HTTP/2 whatever it says.'),
    loadBalancer: z
      .strictObject({
        type: z.enum(['RoundRobin', 'LeastRequest']).default('RoundRobin'),
        slowStart: notYet('Brings new endpoints up slowly.'),
      })
      .prefault({}),
    limits: z
      .strictObject({
        connections: integer(1, 1_000_000).default(1024).describe('Open connections, per worker.'),
        pending: integer(0, 1_000_000)
          .default(1024)
          .describe('Requests that wait for a connection, per worker.'),
        requests: integer(1, 1_000_000).default(1024).describe('Requests in flight, per worker.'),
      })
      .prefault({}),
    timeouts: z
      .strictObject({
        connect: duration(1, 600_000).default(2000).describe('TCP and TLS, together.'),
        firstByte: duration(0, 3_600_000)
          .default(60_000)
          .describe('From the request to the head of the answer. 0s: no limit.'),
        idle: duration(1, 3_600_000)
          .default(30_000)
          .describe(
            'An unused connection is closed after this; keep it below the keep-alive time of the upstream.',
          ),
      })
      .prefault({}),
    tls: upstreamTls().optional().describe('Present: connections use TLS.'),
    health: notYet('Active and passive health checks.'),
    outlier: notYet('Ejects endpoints that fail.'),
    breaker: notYet('Opens when too much fails.'),
    pool: notYet('Settings of the connection pool.', 'use limits and timeouts.idle'),
  })
  .superRefine((spec, ctx) => {
    if (spec.tls === undefined || spec.tls.insecureSkipVerify) return;
    if (spec.tls.serverName === undefined && spec.endpoints.dns === undefined) {
      refuse(
        ctx,
        'WEIR1041',
        'tls.serverName is needed where endpoints are static, so that the certificate can be verified',
        ['tls'],
      );
    }
  });

export const upstream = object(VERSIONS, 'Upstream', upstreamSpec).describe(
  'A named set of endpoints with one way to balance, limit and reach them.',
);

const capability = () =>
  z.string().superRefine((word, ctx) => {
    if (isCapability(word)) return;
    const hint = suggest(word, CAPABILITY_WORDS);
    refuse(
      ctx,
      'WEIR1043',
      `must be one of ${CAPABILITY_WORDS.join(', ')}, foreign/NAME, got "${word}"${hint === undefined ? '' : `: ${hint}`}`,
    );
  });

export const moduleSpec = z
  .strictObject({
    source: moduleSource(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { error: 'must be 64 lower-case hex digits' })
      .optional()
      .describe(
        'Refuses other bytes than these. Advised where a tag or a URL may come to stand for others, required where they come over plain http.',
      ),
    limits: z
      .strictObject({
        memory: size(64 * 1024, 256 * 1024 * 1024)
          .default(16 * 1024 * 1024)
          .describe('Linear memory of one instance.'),
        cpuPerCall: duration(1, 10_000)
          .default(CALL_MS)
          .describe('CPU time of one callback. One that takes more is ended like one that traps.'),
        cpuPerRequest: duration(1, 60_000)
          .default(REQUEST_MS)
          .describe(
            'CPU time of one HTTP request, in all filters up to and with one of this module; each MiB of body that is shown to a filter adds 10 ms.',
          ),
        cpuPerStart: duration(1, 60_000)
          .default(START_MS)
          .describe(
            'CPU time of the start of an instance, `proxy_on_vm_start` and `proxy_on_configure` included.',
          ),
        callDepth: z
          .int()
          .min(16)
          .max(100_000)
          .default(CALL_FRAMES)
          .describe(
            "Frames of the module's stack. Far above the default the stack of the engine ends first, which is a trap as well.",
          ),
        hostCallsPerRequest: notYet('Host calls in one request.'),
      })
      .prefault({}),
    abi: notYet('Pins the ABI version.', 'it is read from the module'),
    signedBy: z
      .array(objectName())
      .min(1)
      .max(16)
      .optional()
      .describe('TrustedKeys of the namespace. One of them must have signed the module, else it is refused.'),
    signature: z
      .strictObject({ file: z.string().min(1) })
      .optional()
      .describe(
        'The file with signatures, relative to this YAML file. Default: `source.file` or the URL with `.sig` added; with `source.oci` those that the artifact carries.',
      ),
    phase: z
      .enum(PHASES)
      .optional()
      .describe(
        'Which phase its filters belong to, for their order. Those of authn and authz never fail open. Default: what the module itself says, if anything.',
      ),
    capabilities: z
      .array(capability())
      .max(64)
      .optional()
      .describe(
        'What the module may do, see capabilities.md; `default` stands for what it has without this field: ' +
          `${DEFAULT_CAPABILITIES.join(', ')}.`,
      ),
    instances: instances(),
    vm: vm(),
    onTrap: z
      .strictObject({
        rollback: z
          .boolean()
          .default(true)
          .describe(
            'Whether the digest before serves again where filters of the module trap five times in a minute.',
          ),
      })
      .prefault({}),
    schema: moduleSchema(),
  })
  .superRefine(({ source, sha256 }, ctx) => {
    if (sha256 === undefined) refuseUnpinned(source, ctx);
  });

export const wasmModule = object(VERSIONS, 'Module', moduleSpec).describe(
  'WebAssembly code for filters, used as `module/<name>`.',
);

export const certificate = object(
  VERSIONS,
  'Certificate',
  z.strictObject({
    certificate: z
      .strictObject({ file: z.string().min(1) })
      .describe('PEM, that of the server first, relative to this YAML file.'),
    privateKey: z
      .strictObject({ file: z.string().min(1) })
      .describe('PEM, not encrypted. Refused where every user of the machine can read it.'),
  }),
).describe(
  'A certificate and its key in files, for certificateRefs {group: policy.weir, kind: Certificate}.',
);
