// The demo behind `npm start`: two upstreams, a weir in front of them with the policies of examples/demo, and a
// filter that is compiled again whenever its source changes. Ctrl-C ends all of it.
//
// Ports: WEIR_DEMO_PORT (8080), WEIR_DEMO_ADMIN_PORT (9901), WEIR_DEMO_UPSTREAM_PORTS (9101,9102). With others
// than these, a copy of examples/demo with them is made and served, in WEIR_DEMO_DIR (.weir/demo).
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
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
if (!(await compileFilters())) await end(1);
watchFilters();
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

/** filters/*.ts → build/*.wasm. False where a module is missing afterwards. */
async function compileFilters() {
  const sources = readdirSync(join(folder, 'filters')).filter((name) => name.endsWith('.ts'));
  mkdirSync(join(folder, 'build'), { recursive: true });
  let complete = true;
  for (const source of sources) complete = (await compile(source.slice(0, -'.ts'.length))) && complete;
  return complete;
}

/** In a process of its own: the compiler would keep the upstreams above from answering. */
async function compile(name) {
  const source = join(folder, 'filters', `${name}.ts`);
  const target = join(folder, 'build', `${name}.wasm`);
  const beside = join(folder, 'build', `.${name}.wasm`);
  const compiler = join(root, 'filters-sdk/cli/weir-asc.mjs');
  const child = spawn(process.execPath, [compiler, source, '-o', beside], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let messages = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (messages += data));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) {
    say(`${relative(process.cwd(), source)} does not compile; the module in force stays\n${messages}`);
    return existsSync(target);
  }
  // In one step, so that weir never reads half a module.
  renameSync(beside, target);
  return true;
}

function watchFilters() {
  let timer;
  const watcher = watch(join(folder, 'filters'), (_event, name) => {
    if (!name?.endsWith('.ts')) return;
    // Editors write in several steps.
    clearTimeout(timer);
    timer = setTimeout(() => {
      say(`compiling ${name}`);
      void compileFilters();
    }, 100);
  });
  closing.push(() => {
    clearTimeout(timer);
    watcher.close();
  });
}

function startWeir() {
  const args = ['run', '-f', join(folder, 'policies'), '--admin', `127.0.0.1:${ports.admin}`];
  args.push('--data-dir', join(root, '.weir/demo-data'), '--workers', '2');
  const child = spawn(process.execPath, [join(root, 'bin/weir'), ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  // Its log is JSON for machines; here a person reads.
  createInterface({ input: child.stderr }).on('line', (line) => {
    const text = readable(line);
    if (text !== null) say(text);
  });
  child.once('exit', (code, signal) => {
    weir.over = true;
    if (!ending) void fail(`weir ended (${code ?? signal})`);
  });
  return { child, over: false };
}

function readable(line) {
  try {
    const { level, msg } = JSON.parse(line);
    return ['trace', 'debug'].includes(level) ? null : msg;
  } catch {
    return line;
  }
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
  const admin = `http://127.0.0.1:${ports.admin}`;
  const place = relative(process.cwd(), folder) || '.';
  console.log(`
gateway   ${gateway}
admin     ${admin}   (/ready, /metrics, /config_dump)

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
