// `weir ratelimit` as the rate limit service of a real Envoy.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { Redis } from '../support/redis.ts';
import { TIMED } from '../support/timing.ts';
import { envoyProgram } from './install.ts';

const LIMITS = (address: string): string => `apiVersion: policy.weir/v1alpha1
kind: Store
metadata: {name: limits, namespace: shop}
spec: {redis: {address: "${address}"}, deadline: 1s}
---
apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: memory, namespace: shop}
spec:
  domain: memory
  limits:
  - descriptor: [{key: user}]
    limit: {requests: 2, per: 24h}
  - descriptor: [{key: user}, {key: path, value: /login}]
    limit: {requests: 1, per: 24h}
---
apiVersion: policy.weir/v1alpha1
kind: RateLimitService
metadata: {name: redis, namespace: shop}
spec:
  domain: redis
  store: limits
  limits:
  - descriptor: [{key: user}]
    limit: {requests: 3, per: 1h, algorithm: token-bucket}
`;

const header = (name: string, key: string): object => ({
  request_headers: { header_name: name, descriptor_key: key, skip_if_absent: true },
});

/** A listener for each domain. */
function listener(port: number, domain: string): object {
  return {
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: domain,
              route_config: {
                virtual_hosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    rate_limits: [
                      { actions: [header('x-user', 'user')] },
                      { actions: [header('x-user', 'user'), header(':path', 'path')] },
                    ],
                    routes: [{ match: { prefix: '/' }, route: { cluster: 'origin' } }],
                  },
                ],
              },
              http_filters: [
                {
                  name: 'ratelimit',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit',
                    domain,
                    timeout: '5s',
                    failure_mode_deny: true,
                    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
                    rate_limit_service: {
                      transport_api_version: 'V3',
                      grpc_service: { envoy_grpc: { cluster_name: 'weir' } },
                    },
                  },
                },
                {
                  name: 'router',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

const GRPC = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
  health_checks: [
    {
      timeout: '5s',
      interval: '1s',
      unhealthy_threshold: 3,
      healthy_threshold: 1,
      grpc_health_check: {},
    },
  ],
};

function clusterOf(name: string, port: number, grpc: object): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    ...grpc,
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
            },
          ],
        },
      ],
    },
  };
}

describe('weir ratelimit behind Envoy', () => {
  const ports = { memory: 0, redis: 0 };
  beforeAll(async () => {
    const folder = await temporaryFolder();
    const redis = await Redis.start();
    const upstream = await FakeUpstream.start();
    const service = await freePort();
    writeFileSync(join(folder, 'limits.yaml'), LIMITS(redis.address));
    const weir = new Program(process.execPath, [
      join(ROOT, 'bin/weir'),
      'ratelimit',
      '-f',
      join(folder, 'limits.yaml'),
      '--listen',
      `127.0.0.1:${service}`,
    ]);
    await weir.waitFor('"serving"');
    await weir.waitFor('store connected');
    for (const domain of ['memory', 'redis'] as const) ports[domain] = await freePort();
    const file = join(folder, 'envoy.json');
    writeFileSync(
      file,
      JSON.stringify({
        static_resources: {
          listeners: Object.entries(ports).map(([domain, port]) => listener(port, domain)),
          clusters: [clusterOf('weir', service, GRPC), clusterOf('origin', upstream.port, {})],
        },
      }),
    );
    const envoy = new Program(envoyProgram(), [
      ...['-c', file, '--concurrency', '1', '--disable-hot-restart'],
      ...['--log-level', 'warning'],
    ]);
    await vi.waitFor(
      async () => {
        if (envoy.exit !== null) throw envoy.fault('ended');
        expect((await exchange({ port: ports.memory }, getRequest('/'))).status).toBe(200);
      },
      { timeout: 60_000, interval: 50 },
    );
  }, 120_000);

  const send = (domain: keyof typeof ports, user: string, path = '/') =>
    exchange({ port: ports[domain] }, getRequest(path, 'example.test', `X-User: ${user}`));

  test('what is over the limit gets 429, with the limit in fields', async () => {
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await send('memory', 'ann'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[0]!.header('x-ratelimit-limit')).toBe('2, 2;w=86400');
    expect(answers.map((answer) => answer.header('x-ratelimit-remaining'))).toEqual(['1', '0', '0']);
    expect(Number(answers[0]!.header('x-ratelimit-reset'))).toBeGreaterThan(0);
    expect((await send('memory', 'bea')).status).toBe(200);
  });

  test('a descriptor of several entries, and one that refuses costs the other nothing', async () => {
    expect((await send('memory', 'cyd', '/login')).status).toBe(200);
    expect((await send('memory', 'cyd', '/login')).status).toBe(429);
    expect((await send('memory', 'cyd', '/')).status).toBe(200);
    expect((await send('memory', 'cyd', '/')).status).toBe(429);
  });

  let tries = 0;
  test('the same from Redis', TIMED, async () => {
    // What Redis says later than it may is an error, which a busy machine can be the cause of.
    const user = `ann-${++tries}`;
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await send('redis', user)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
  });
});
