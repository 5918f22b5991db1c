import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { instancesOf, compare, type ReplayReport } from '../../src/replay/report.ts';
import { readRecording, type Recording } from '../../src/replay/recording.ts';
import { chunkedReply, FakeUpstream } from '../support/fake-upstream.ts';
import { GrpcServer } from '../support/grpc-server.ts';
import { pluginBytes } from '../support/plugin.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';
import { compile, guard } from '../support/recorded-chain.ts';
import { OpenTap } from '../support/recording.ts';
import { scriptedGuest } from '../support/scripted-guest.ts';
import { dial, TcpServer } from '../support/tcp.ts';

const source = (name: string): string =>
  readFileSync(new URL(`../plugins/${name}.ts`, import.meta.url), 'utf8');

/** Two filters of one VM: the second one tells what the first one left in their memory, and each how many it saw. */
const PAIR = `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, requestHeader, requestHeaders, setTickPeriod } from '@weir/filters-sdk/assembly';
let left = '';
let ticks = 0;
class Root extends RootContext {
  first: bool = false;
  seen: i32 = 0;
  onConfigure(text: ArrayBuffer): bool { this.first = String.UTF8.decode(text) == 'first'; setTickPeriod(5); return true; }
  onTick(): void { ticks++; }
  createStream(): StreamContext { return new Half(this); }
}
class Half extends StreamContext {
  constructor(private root: Root) { super(); }
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    this.root.seen++;
    if (this.root.first) left = requestHeader(':path')!.toString() + ' after ' + left.length.toString();
    else requestHeaders.set('x-left', left + ' seen ' + this.root.seen.toString() + ' ticked ' + (ticks > 0).toString());
    return Action.Continue;
  }
}
registerRoot(new Root());
`;

interface Ports {
  readonly http: number;
  readonly tcp: number;
  readonly origin: number;
  readonly grpc: number;
  readonly db: number;
  readonly authz: number;
}

const upstream = (name: string, port: number): string => `---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: ${name}, namespace: shop}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${port}}]}}
`;

const module = (name: string, more = ''): string => `---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: ${name}, namespace: shop}
spec: {source: {file: ${name}.wasm}${more}}
`;

/** Requests for the host NAME.test, through these filters. */
const route = (name: string, filters: string): string => `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [${name}.test]
  rules: [{backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: ${name}, namespace: shop}
spec:
  targetRefs: [{kind: HTTPRoute, name: ${name}}]
  filters: [${filters}]
`;

const policies = ({ http, tcp, origin, grpc, db, authz }: Ports): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  addresses: [{value: 127.0.0.1}]
  listeners: [{name: http, port: ${http}, protocol: HTTP}, {name: db, port: ${tcp}, protocol: TCP}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: db, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: db}]
  rules: [{name: all, backendRefs: [{group: policy.weir, kind: Upstream, name: db}]}]
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: db, namespace: shop}
spec:
  targetRefs: [{kind: TCPRoute, name: db}]
  filters: [{name: lines, use: module/line-guard, config: drop}]
${upstream('origin', origin)}${upstream('echo', grpc)}${upstream('db', db)}${upstream('authz', authz)}
${module('line-guard')}${module('sdk-grpc')}${module('shared', ', vm: {id: receiver}')}${module('scripted')}
${module('pair', ', instances: {isolation: Shared}, vm: {id: pair}')}${module('guard', ', instances: {isolation: Stream}')}
${route('grpc', '{name: asks, use: module/sdk-grpc, config: tick, callouts: [{name: echo}]}')}
${route('queue', '{name: sender, use: module/shared, config: sender}')}
${route('jobs', '{name: receiver, use: module/shared, config: receiver}')}
${route('trailers', "{name: trailers, use: module/scripted, config: 'reqt set x-seen yes;reqb trail x-made here;rest set x-tail yes;resb buffer'}")}
${route('pair', '{name: first, use: module/pair, config: first}, {name: second, use: module/pair, config: second}')}
${route('alone', '{name: alone, use: module/guard, callouts: [{name: authz}]}')}
`;

async function modules(): Promise<Record<string, Uint8Array>> {
  const [scripted, pair, alone] = await Promise.all([scriptedGuest(), compile(PAIR), guard()]);
  return {
    'line-guard': pluginBytes('line-guard'),
    'sdk-grpc': pluginBytes('sdk-grpc'),
    shared: pluginBytes('shared'),
    scripted,
    pair,
    guard: alone,
  };
}

const CHUNKED =
  'POST / HTTP/1.1\r\nHost: trailers.test\r\nTransfer-Encoding: chunked\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n';

const answerWithTrailers = chunkedReply(['abc', 'def'], [['X-Sum', '6']]);

async function traffic(port: number, tcpPort: number): Promise<void> {
  const get = async (path: string, name: string): Promise<number> =>
    (await exchange({ port }, getRequest(path, `${name}.test`, 'Connection: close'))).status;
  await Promise.all(
    ['/unary', '/chat', '/cancel', '/fail', '/slow', '/nowhere', '/unary/2', '/chat/2'].map((path) =>
      get(path, 'grpc'),
    ),
  );
  // With it the recorded instance begins, which from then on is the one that is told of items.
  expect(await get('/job/0', 'jobs')).toBe(200);
  for (let i = 0; i < 5; i++) {
    expect(await get(`/send/${i}`, 'queue')).toBe(200);
    expect(await get('/count', 'queue')).toBe(200);
    expect(await get(`/pair/${i}`, 'pair')).toBe(200);
    await get(`/alone/${i}`, 'alone');
    await exchange({ port }, `${CHUNKED}3\r\nabc\r\n${i % 2 === 0 ? '0\r\nX-Sum: 1\r\n\r\n' : '0\r\n\r\n'}`);
  }
  const taken = async (): Promise<string> =>
    (await exchange({ port }, getRequest('/job/4', 'jobs.test', 'Connection: close'))).text;
  await vi.waitUntil(async () => (await taken()) === '1', { timeout: 20_000 });
  const line = await dial(tcpPort);
  line.write('one\n');
  expect(await line.gets('> one\n')).toBe('> one\n');
  line.write('half of ');
  line.write('a line\n');
  await line.gets('> one\n> half of a line\n');
  line.end();
  await line.gone();
  const denied = await dial(tcpPort);
  denied.write('drop it\n');
  await denied.over();
  denied.end();
  await denied.gone();
}

let built: Record<string, Uint8Array>;
let recording: Recording;

beforeAll(async () => {
  built = await modules();
  const origin = await FakeUpstream.start({
    discard: true,
    behaviour: async (request, answer) => {
      if (request.method === 'POST') return answerWithTrailers(request, answer);
      await request.finish();
      return answer.send(200, [], 'fine');
    },
  });
  const authz = await FakeUpstream.start({
    behaviour: async (request, answer) => {
      await request.finish();
      await answer.send(200, [['x-verdict', 'yes']], 'ok');
    },
  });
  const [grpc, db] = [await GrpcServer.start(), await TcpServer.echo()];
  const ports = {
    http: await freePort(),
    tcp: await freePort(),
    origin: origin.port,
    grpc: grpc.port,
    db: db.port,
    authz: authz.port,
  };
  const weir = await Weir.start({
    workers: 1,
    files: {
      'edge.yaml': policies(ports),
      ...Object.fromEntries(Object.entries(built).map(([name, bytes]) => [`${name}.wasm`, bytes])),
    },
  });
  const tap = await OpenTap.start(weir, 'filter=*&for=10m&bodies=all&secrets=keep');
  const reading = tap.rest().catch(() => undefined);
  await traffic(ports.http, ports.tcp);
  await weir.stop();
  await reading;
  const file = join(mkdtempSync(join(tmpdir(), 'weir-features-')), 'all.jsonl');
  writeFileSync(file, tap.text);
  recording = await readRecording(file);
}, 120_000);

/** What was recorded of a filter's callbacks, to know that the recording is of what it is meant to be. */
function callbacksOf(filter: string): Set<string> {
  return new Set(
    instancesOf(recording, filter).flatMap(({ callbacks }) => callbacks.map(({ callback }) => callback)),
  );
}

function callsOf(filter: string): Set<string> {
  return new Set(
    instancesOf(recording, filter).flatMap(({ callbacks }) =>
      callbacks.flatMap(({ calls }) => calls.map(({ call }) => call)),
    ),
  );
}

async function replay(filter: string, bytes: Uint8Array): Promise<ReplayReport> {
  const report = await compare(recording, filter, bytes);
  expect(report.requests).toBeGreaterThan(0);
  return report;
}

function expectIdentical(report: ReplayReport): void {
  expect(report.groups).toEqual([]);
  expect(report).toMatchObject({ different: 0, undecided: 0, equal: 0, identical: report.requests });
}

describe(
  'a recording replays identically, and shows what another build does differently, of',
  { timeout: 60_000 },
  () => {
    test('gRPC calls: unary and streams, refused, cancelled, late, and of the root context', async () => {
      expect([...callbacksOf('asks')]).toEqual(
        expect.arrayContaining([
          'proxy_on_grpc_receive',
          'proxy_on_grpc_receive_initial_metadata',
          'proxy_on_grpc_receive_trailing_metadata',
          'proxy_on_grpc_close',
          'proxy_on_tick',
        ]),
      );
      expect([...callsOf('asks')]).toEqual(
        expect.arrayContaining([
          'proxy_grpc_call',
          'proxy_grpc_stream',
          'proxy_grpc_send',
          'proxy_grpc_close',
          'proxy_grpc_cancel',
        ]),
      );
      expectIdentical(await replay('asks', built['sdk-grpc']!));
      const changed = await compile(
        source('sdk-grpc').replace("grpcSend(message.token, 'two')", "grpcSend(message.token, 'three')"),
      );
      const { groups, different } = await replay('asks', changed);
      expect(different).toBe(2);
      expect(new Set(groups.map(({ subject }) => subject))).toEqual(new Set(['proxy_grpc_send']));
    });

    test('TCP connections: data both ways, held, closed by either side', async () => {
      expect([...callbacksOf('lines')]).toEqual(
        expect.arrayContaining([
          'proxy_on_new_connection',
          'proxy_on_downstream_data',
          'proxy_on_upstream_data',
          'proxy_on_downstream_connection_close',
          'proxy_on_log',
        ]),
      );
      expectIdentical(await replay('lines', built['line-guard']!));
      const changed = await compile(source('line-guard').replace("prepend('> ')", "prepend('>> ')"));
      const { groups, different } = await replay('lines', changed);
      expect(different).toBe(1);
      expect(groups.map(({ subject }) => subject)).toContain('upstream data');
    });

    test('queues and shared data', async () => {
      expect([...callbacksOf('receiver')]).toContain('proxy_on_queue_ready');
      expect([...callsOf('receiver')]).toContain('proxy_dequeue_shared_queue');
      expectIdentical(await replay('sender', built['shared']!));
      expectIdentical(await replay('receiver', built['shared']!));
      const changed = await compile(source('shared').replace("increment('count')", "increment('number')"));
      const { groups, different } = await replay('sender', changed);
      expect(different).toBe(5);
      expect(groups.map(({ subject }) => subject)).toContain('not in the recording: proxy_get_shared_data');
    });

    test('trailers: read, changed, and added to messages that had none', async () => {
      expect([...callbacksOf('trailers')]).toEqual(
        expect.arrayContaining(['proxy_on_request_trailers', 'proxy_on_response_trailers']),
      );
      const made = instancesOf(recording, 'trailers').flatMap(({ callbacks }) =>
        callbacks.filter(({ after }) => JSON.stringify(after ?? {}).includes('x-made')),
      );
      expect(made.length).toBeGreaterThan(0);
      expectIdentical(await replay('trailers', built['scripted']!));
      const changed = await scriptedGuest((entry) =>
        entry.replace('setHeader(map + 1, step[2], step[3])', 'setHeader(map + 1, step[2], "there")'),
      );
      const { groups, different } = await replay('trailers', changed);
      expect(different).toBe(made.length);
      expect(new Set(groups.map(({ subject }) => subject))).toEqual(new Set(['request trailer x-made']));
    });

    test('filters that share a VM, each finding what the other left in its memory', async () => {
      const [instance] = instancesOf(recording, 'first');
      expect(instance!.record.plugins.map(({ name }) => name)).toEqual([
        'shop/pair#first',
        'shop/pair#second',
      ]);
      const found = JSON.stringify(instance!.callbacks);
      // Of the one before, which the other filter left.
      expect(found.includes('/pair/4 after 16 seen 5')).toBe(true);
      expectIdentical(await replay('second', built['pair']!));
      const { groups, different } = await replay(
        'first',
        await compile(PAIR.replace("' after '", "' behind '")),
      );
      expect(different).toBe(5);
      expect(new Set(groups.map(({ subject }) => subject))).toEqual(new Set(['request header x-left']));
    });

    test('instances that serve one stream each', async () => {
      const instances = instancesOf(recording, 'alone');
      expect(instances).toHaveLength(5);
      for (const { callbacks } of instances)
        expect(new Set(callbacks.flatMap(({ stream }) => stream ?? []))).toHaveProperty('size', 1);
      expectIdentical(await replay('alone', built['guard']!));
      const { groups, different } = await replay('alone', await guard('hello'));
      expect(different).toBe(5);
      expect(groups[0]).toMatchObject({ subject: 'response header x-greeting', was: '"hi"', is: '"hello"' });
    });
  },
);
