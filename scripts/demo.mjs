// The demo behind `npm start`: two upstreams, and `weir dev` in front of them with the policies and the filter of
// examples/demo. Ctrl-C ends all of it.
//
// Ports: WEIR_DEMO_PORT (8080), WEIR_DEMO_ADMIN_PORT (9901), WEIR_DEMO_UPSTREAM_PORTS (9101,9102). With others
// than these, a copy of examples/demo with them is made and served, in WEIR_DEMO_DIR (.weir/demo).
import { spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const USUAL = { gateway: 8080, admin: 9901, upstreams: [9101, 9102] };
const ports = {
  gateway: Number(process.env.WEIR_DEMO_PORT ?? USUAL.gateway),
  admin: Number(process.env.WEIR_DEMO_ADMIN_PORT ?? USUAL.admin),
  upstreams: (process.env.WEIR_DEMO_UPSTREAM_PORTS ?? USUAL.upstreams.join()).split(',').map(Number),
};

const closing = [];
let weir = null;
let ending = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(0));

const folder = demoFolder();
await Promise.all(['blue', 'green'].map((name, i) => startUpstream(name, ports.upstreams[i])));
weir = startWeir();
await ready();
tell();

/** examples/demo, or a copy of it with other ports. */
function demoFolder() {
  const original = join(root, 'examples/demo');
  const usual = JSON.stringify(ports) === JSON.stringify(USUAL);
  if (usual && process.env.WEIR_DEMO_DIR === undefined) return original;
  const copy = process.env.WEIR_DEMO_DIR ?? join(root, '.weir/demo');
  rmSync(copy, { recursive: true, force: true });
  cpSync(original, copy, { recursive: true });
  const file = join(copy, 'policies/gateway.yaml');
  const replaced = [
    [USUAL.gateway, ports.gateway],
    ...USUAL.upstreams.map((port, i) => [port, ports.upstreams[i]]),
  ];
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of replaced) text = text.replace(`port: ${from}`, `port: ${to}`);
  writeFileSync(file, text);
  return copy;
}

/** Answers with what it saw, so that one can see what the filters did. */
function startUpstream(name, port) {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const seen = { upstream: name, method: request.method, path: request.url, headers: request.headers };
      response.setHeader('content-type', 'application/json');
      response.setHeader('x-powered-by', 'the demo upstream');
      response.end(`${JSON.stringify(seen, null, 2)}\n`);
    });
  });
  closing.push(() => server.close().closeAllConnections());
  return new Promise((resolve) => {
    server.once('error', (fault) => void fail(`upstream ${name}: ${fault.message}`));
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** It compiles the filters, serves, and tells what it does. */
function startWeir() {
  const args = ['dev', folder, '--admin', `127.0.0.1:${ports.admin}`, '--workers', '2'];
  // Its keys are those of this terminal.
  const child = spawn(process.execPath, [join(root, 'bin/weir'), ...args], { stdio: 'inherit' });
  child.once('exit', (code, signal) => {
    weir.over = true;
    if (code === 0) void end(0);
    else if (!ending) void fail(`weir ended (${code ?? signal})`);
  });
  return { child, over: false };
}

async function ready() {
  const until = Date.now() + 30_000;
  while (Date.now() < until && !ending) {
    const answer = await fetch(`http://127.0.0.1:${ports.admin}/ready`).catch(() => null);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!ending) await fail('weir was not ready within 30 s');
}

function tell() {
  const gateway = `http://127.0.0.1:${ports.gateway}`;
  const place = relative(process.cwd(), folder) || '.';
  console.log(`
allowed   curl -i -H 'x-api-key: demo-key' ${gateway}/hello
refused   curl -i ${gateway}/hello
limited   curl -i -H 'x-api-key: demo-key' '${gateway}/burst?[1-3]'

Edit ${place}/policies/*.yaml or ${place}/filters/greeting.ts, save, and send again. Ctrl-C stops.
`);
}

async function end(code) {
  if (ending) return;
  ending = true;
  if (weir !== null && !weir.over) {
    const gone = new Promise((resolve) => weir.child.once('exit', resolve));
    weir.child.kill('SIGTERM');
    await gone;
  }
  for (const close of closing) close();
  process.exit(code);
}

function fail(why) {
  say(why);
  return end(1);
}

function say(what) {
  process.stderr.write(`weir demo: ${what}\n`);
}
