/** The proxies and the upstream: how each is started, on which port. All on 127.0.0.1. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { envoyProgram } from '../../test/envoy/install.ts';
import { freePort } from '../../test/support/ports.ts';
import { Program, ROOT } from '../../test/support/process.ts';
import { exchange } from '../../test/support/raw-client.ts';
import { policiesOn } from '../policies.ts';
import { addChain, envoyFile } from './wasm.ts';
import type { Scenario, SubjectName } from './scenarios.ts';

export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  readonly program: Program;
}

/** Of the machine and of this run. */
export interface StartContext {
  /** For configuration files. */
  readonly folder: string;
  readonly proxyCores: string;
  readonly otherCores: string;
  /** The Node that weir and the undici proxy run on. */
  readonly node: string;
  readonly upstreamPort: number;
}

/** What a peer needs that this machine lacks; null when nothing is missing. */
export function missing(): string | null {
  const wanted = { taskset: 'util-linux', wrk: 'wrk', nginx: 'nginx-light', haproxy: 'haproxy' };
  const absent = Object.entries(wanted).filter(([command]) => versionOf(command) === null);
  if (absent.length === 0) return null;
  return `not installed: ${absent.map(([command]) => command).join(', ')}. On Debian: apt-get install ${absent.map(([, name]) => name).join(' ')}`;
}

/** First line of what `--version` prints, in its several spellings; null where there is no such program. */
export function versionOf(command: string): string | null {
  try {
    return (
      execFileSync('sh', ['-c', `${command} -v 2>&1 | head -1`], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim() || null
    );
  } catch {
    return null;
  }
}

export async function startUpstream(context: StartContext): Promise<Program> {
  const { folder, otherCores, upstreamPort } = context;
  const root = join(folder, 'upstream');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, '100k'), 'x'.repeat(100 * 1024));
  const program = startNginx(context, 'upstream', otherCores, [
    `server { listen 127.0.0.1:${upstreamPort} backlog=4096;`,
    `  location = /1k { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }`,
    `  location = /100k { root ${root}; }`,
    '}',
  ]);
  await answers(upstreamPort, program);
  return program;
}

/** Starts a proxy for a scenario and waits until it answers. */
export async function startSubject(
  name: SubjectName,
  scenario: Scenario,
  context: StartContext,
): Promise<Subject> {
  const port = await freePort();
  const program = await START[name](context, port, scenario);
  await answers(port, program);
  return { name, port, program };
}

type Start = (context: StartContext, port: number, scenario: Scenario) => Program | Promise<Program>;

const LARGE_BUFFERS = ['proxy_buffer_size 64k;', 'proxy_buffers 8 64k;', 'proxy_busy_buffers_size 128k;'];

const START: Record<SubjectName, Start> = {
  nginx: (context, port) => startNginx(context, 'nginx', context.proxyCores, nginxProxy(context, port, [])),
  'nginx-64k': (context, port) =>
    startNginx(context, 'nginx-64k', context.proxyCores, nginxProxy(context, port, LARGE_BUFFERS)),
  haproxy(context, port) {
    const file = join(context.folder, 'haproxy.cfg');
    writeFileSync(
      file,
      [
        'global',
        '  nbthread 1',
        '  maxconn 4000',
        'defaults',
        '  mode http',
        '  timeout connect 5s',
        '  timeout client 60s',
        '  timeout server 60s',
        '  option forwardfor',
        '  http-reuse always',
        'listen proxy',
        `  bind 127.0.0.1:${port}`,
        `  server upstream 127.0.0.1:${context.upstreamPort}`,
        '',
      ].join('\n'),
    );
    return pinned(context.proxyCores, ['haproxy', '-db', '-f', file]);
  },
  undici(context, port) {
    const script = fileURLToPath(new URL('undici-proxy.mjs', import.meta.url));
    return pinned(context.proxyCores, [context.node, script, String(port), String(context.upstreamPort)]);
  },
  async envoy(context, port, scenario) {
    const file = await envoyFile(context.folder, port, context.upstreamPort, scenario.wasm ?? null);
    const options = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'];
    return pinned(context.proxyCores, [envoyProgram(), '-c', file, ...options]);
  },
  async weir(context, port, scenario) {
    const policies = await policiesOn(scenario.weir, port, context.upstreamPort);
    if (scenario.wasm !== undefined) addChain(policies, scenario.wasm);
    const admin = `127.0.0.1:${await freePort()}`;
    const args = ['run', '-f', policies, '--workers', '1', '--admin', admin];
    args.push('--data-dir', join(context.folder, 'weir-data'));
    return pinned(context.proxyCores, [context.node, join(ROOT, 'bin/weir'), ...args]);
  },
};

function nginxProxy(context: StartContext, port: number, buffers: readonly string[]): string[] {
  return [
    `upstream up { server 127.0.0.1:${context.upstreamPort}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }`,
    `server { listen 127.0.0.1:${port} backlog=4096;`,
    '  location / {',
    '    proxy_pass http://up;',
    '    proxy_http_version 1.1;',
    '    proxy_set_header Connection "";',
    '    proxy_set_header Host $host;',
    '    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    '    proxy_set_header X-Forwarded-Proto $scheme;',
    ...buffers.map((line) => `    ${line}`),
    '  }',
    '}',
  ];
}

function startNginx(context: StartContext, name: string, cores: string, http: readonly string[]): Program {
  const prefix = join(context.folder, `${name}-nginx`);
  mkdirSync(prefix, { recursive: true });
  // nginx started by root gives up its rights and must still read and write here.
  for (const path of [context.folder, prefix]) chmodSync(path, 0o755);
  const file = join(prefix, 'nginx.conf');
  writeFileSync(
    file,
    [
      'daemon off;',
      'worker_processes 1;',
      `pid ${prefix}/nginx.pid;`,
      'error_log stderr crit;',
      'events { worker_connections 8192; }',
      'http {',
      '  access_log off;',
      '  sendfile on;',
      '  tcp_nopush on;',
      '  open_file_cache max=16;',
      '  keepalive_timeout 600s;',
      // The proxies close a client's connection after 1000 requests, as weir does; the upstream never does.
      `  keepalive_requests ${name === 'upstream' ? 1_000_000_000 : 1000};`,
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `  ${kind}_temp_path ${prefix}/${kind};`,
      ),
      ...http.map((line) => `  ${line}`),
      '}',
      '',
    ].join('\n'),
  );
  return pinned(cores, ['nginx', '-p', prefix, '-e', 'stderr', '-c', file]);
}

function pinned(cores: string, command: readonly string[]): Program {
  return new Program('taskset', ['-c', cores, ...command]);
}

async function answers(port: number, program: Program): Promise<void> {
  const until = Date.now() + 20_000;
  for (;;) {
    const status = await exchange(
      { port },
      'GET /1k HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n',
    ).then(
      (answer) => answer.status,
      () => 0,
    );
    // A chain may refuse a request without a key; it is up all the same.
    if (status >= 200 && status < 500) return;
    if (program.exit !== null) throw program.fault('ended before it answered');
    if (Date.now() > until) throw program.fault(`does not answer on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Sends one request of the scenario and compares the answer. Nothing is timed before that. */
export async function verify(subject: Subject, scenario: Scenario): Promise<void> {
  const length = scenario.bodyBytes > 0 ? [`Content-Length: ${scenario.bodyBytes}`] : [];
  const head = [`${scenario.method} ${scenario.path} HTTP/1.1`, ...scenario.fields, ...length, '', ''].join(
    '\r\n',
  );
  const answer = await exchange({ port: subject.port }, head + 'x'.repeat(scenario.bodyBytes));
  const wanted = 'x'.repeat(scenario.answerBytes);
  if (answer.status !== 200 || answer.text !== wanted) {
    throw subject.program.fault(
      `answers ${scenario.name} with ${answer.status} and ${answer.bodyLength} bytes: ${answer.text.slice(0, 300)}`,
    );
  }
}
