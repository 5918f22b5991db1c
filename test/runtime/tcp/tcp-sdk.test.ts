import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { protocolsOf } from '../../../src/control/module-protocols.ts';
import { DataPlane } from '../../support/data-plane.ts';
import { pluginBytes } from '../../support/plugin.ts';
import { dial, TcpServer } from '../../support/tcp.ts';

// test/plugins/line-guard.ts, a filter as an author would write it with the SDK.
const code = pluginBytes('line-guard');

async function start(upstream: TcpServer): Promise<{ plane: DataPlane; lines: string[] }> {
  const digest = createHash('sha256').update(code).digest('hex');
  const lines: string[] = [];
  const plane = await DataPlane.start(
    {
      protocol: 'tcp',
      tcpRules: [{ chain: 1 }],
      chains: [[], [0]],
      modules: [{ name: 'test/guard', digest, source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
      plugins: [{ name: 'guard', configuration: 'DROP' }],
      clusters: [{ ports: [upstream.port] }],
    },
    new Map([[digest, code]]),
    (fields, message) => {
      if ((fields as { plugin?: string }).plugin === 'guard') lines.push(message);
    },
  );
  return { plane, lines };
}

test('a filter of the SDK sees a connection from its beginning to its end', async () => {
  const upstream = await TcpServer.start();
  const { plane, lines } = await start(upstream);
  const client = await dial(plane.port);
  const server = await upstream.accepted();
  client.write('SEL');
  await sleep(30);
  expect(server.text).toBe('');
  client.write('ECT 1\n');
  expect(await server.gets('SELECT 1\n')).toBe('SELECT 1\n');
  server.write('one');
  expect(await client.gets('> one')).toBe('> one');
  const { localPort } = client.socket;
  client.end('SELECT 2');
  await server.over();
  expect(server.text).toBe('SELECT 1\nSELECT 2');
  server.end();
  await client.over();
  for (let i = 0; i < 300 && lines.length < 3; i++) await sleep(10);
  expect(lines).toEqual([`from 127.0.0.1:${localPort}`, 'the client left', 'seen 17']);
});

test('and ends one whose data it does not like, with nothing of that data passed on', async () => {
  const upstream = await TcpServer.start();
  const { plane, lines } = await start(upstream);
  const client = await dial(plane.port);
  const server = await upstream.accepted();
  client.write('x; DROP TABLE t\n');
  expect(await client.over()).toBe('end');
  await server.over();
  expect(server.text).toBe('');
  for (let i = 0; i < 300 && lines.length < 3; i++) await sleep(10);
  expect(lines.slice(1)).toEqual(['weir closed', 'seen 0']);
});

test('the module says by its exports that it is for TCP alone', () => {
  expect(protocolsOf(code)).toEqual({ http: false, tcp: true });
});
