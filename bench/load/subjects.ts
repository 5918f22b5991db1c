/** The proxies and the upstream: how each is started, on which port. All on 127.0.0.1. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, ROOT } from '../../test/support/process.ts';
import { exchange } from '../../test/support/raw-client.ts';
import type { Scenario, SubjectName } from './scenarios.ts';

export const UPSTREAM_PORT = 18_090;

// weir's stand in bench/load/*.yaml too.
const PORTS: Record<SubjectName, number> = {
  weir: 18_080,
  nginx: 18_081,
  'nginx-64k': 18_082,
  haproxy: 18_083,
  undici: 18_084,
};

export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  readonly program: Program;
}

export interface StartContext {
  /** For configuration files. */
  readonly folder: string;
  readonly proxyCores: string;
  readonly otherCores: string;
  /** The Node that weir and the undici proxy run on. */
  readonly node: string;
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
  const root = join(context.folder, 'upstream');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, '100k'), 'x'.repeat(100 * 1024));
  const program = startNginx(context, 'upstream', context.otherCores, [
    `server { listen 127.0.0.1:${UPSTREAM_PORT} backlog=4096 reuseport;`,
    `  location = /1k { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }`,
    `  location = /100k { root ${root}; }`,
    '}',
  ]);
  await answers(UPSTREAM_PORT, program);
  return program;
}

/** Starts a proxy for a scenario and waits until it answers. */
export async function startSubject(
  name: SubjectName,
  scenario: Scenario,
  context: StartContext,
): Promise<Subject> {
  const program = START[name](context, scenario);
  await answers(PORTS[name], program);
  return { name, port: PORTS[name], program };
}

const START: Record<SubjectName, (context: StartContext, scenario: Scenario) => Program> = {
  nginx: (context) => startNginx(context, 'nginx', context.proxyCores, nginxProxy('nginx', [])),
  'nginx-64k': (context) =>
    startNginx(
      context,
      'nginx-64k',
      context.proxyCores,
      nginxProxy('nginx-64k', [
        'proxy_buffer_size 64k;',
        'proxy_buffers 8 64k;',
        'proxy_busy_buffers_size 128k;',
      ]),
    ),
  haproxy(context) {
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
        `  bind 127.0.0.1:${PORTS.haproxy}`,
        `  server upstream 127.0.0.1:${UPSTREAM_PORT}`,
        '',
      ].join('\n'),
    );
    return pinned(context.proxyCores, ['haproxy', '-db', '-f', file]);
  },
  undici(context) {
    const script = fileURLToPath(new URL('undici-proxy.mjs', import.meta.url));
    return pinned(context.proxyCores, [context.node, script, String(PORTS.undici), String(UPSTREAM_PORT)]);
  },
  weir(context, scenario) {
    const policies = fileURLToPath(new URL(`${scenario.weir}.yaml`, import.meta.url));
    const data = join(context.folder, 'weir-data');
    const args = ['run', '-f', policies, '--workers', '1', '--admin', '127.0.0.1:18089', '--data-dir', data];
    return pinned(context.proxyCores, [context.node, join(ROOT, 'bin/weir'), ...args]);
  },
};

function nginxProxy(name: SubjectName, buffers: readonly string[]): string[] {
  return [
    `upstream up { server 127.0.0.1:${UPSTREAM_PORT}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }`,
    `server { listen 127.0.0.1:${PORTS[name]} backlog=4096;`,
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
