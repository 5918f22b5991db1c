import { expect, test } from 'vitest';
import { redactSnapshot } from '../../src/control/redact.ts';
import { DEFAULT_LISTENER_LIMITS, type PluginSpec, type Snapshot } from '../../src/runtime/snapshot.ts';

const plugin: PluginSpec = {
  name: 'shop/keys#key',
  filter: 'key',
  source: 'a.yaml:1:1',
  module: 0,
  rootId: '',
  vmId: '',
  vmConfiguration: 'opaque s3cret text',
  tenant: 'test',
  environment: [],
  instances: { shared: false, min: 1, max: 1000, recycleAfter: 0 },
  configuration: JSON.stringify({
    header: 'x-api-key',
    keys: [{ key: 's3cret-1', consumer: 'acme' }],
    upstream: { clientSecret: 's3cret-2', url: 'http://id.example' },
    limit: 5,
  }),
  onError: 'deny',
  capabilities: [],
  properties: 'envoy',
  bodyBufferBytes: 0,
  onBodyOverflow: 'reject',
  bodyWhileHeld: false,
  callouts: [],
};

const snapshot: Snapshot = {
  version: 'v',
  ports: [
    {
      address: '0.0.0.0',
      port: 443,
      protocol: 'https',
      limits: DEFAULT_LISTENER_LIMITS,
      listeners: [
        {
          name: 'shop/edge/https',
          hostname: '',
          chain: 0,
          certificates: [
            { chainPem: 'CHAIN', keyPem: '-----BEGIN PRIVATE KEY----- s3cret', names: ['a.example'] },
          ],
          minTlsVersion: 'TLSv1.2',
          metadata: [],
          tcpRule: -1,
          virtualHosts: [],
        },
      ],
    },
  ],
  rules: [],
  tcpRules: [],
  clusters: [],
  modules: [],
  plugins: [plugin],
  chains: [[]],
  accessLog: { mode: 'off', path: 'stdout', fields: [] },
};

test('nothing secret is left, everything else is', () => {
  const text = JSON.stringify(redactSnapshot(snapshot));
  expect(text).not.toContain('s3cret');
  for (const kept of ['CHAIN', 'a.example', 'x-api-key', 'http://id.example', '"limit":5', 'shop/keys#key']) {
    expect(text).toContain(kept);
  }
});

test('what the schema of a module marks as secret is hidden whatever its name and type', () => {
  const marked = {
    ...snapshot,
    plugins: [
      {
        ...plugin,
        secretFields: ['pin'],
        configuration: JSON.stringify({ pin: 1234, a: { pin: ['s3cret'], open: 1 } }),
      },
    ],
  };
  const { plugins } = redactSnapshot(marked) as {
    plugins: { configuration: unknown }[];
  };
  expect(plugins[0]!.configuration).toEqual({ pin: '[redacted]', a: { pin: '[redacted]', open: 1 } });
});

test('the snapshot itself is left alone', () => {
  redactSnapshot(snapshot);
  expect(snapshot.ports[0]!.listeners[0]!.certificates[0]!.keyPem).toContain('s3cret');
});
