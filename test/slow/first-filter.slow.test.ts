import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listTemplates } from '../../src/cli/filter/template.ts';
import { freePort } from '../support/ports.ts';
import { Program, ROOT, temporaryFolder } from '../support/process.ts';
import { exchange, getRequest } from '../support/raw-client.ts';

// A newcomer's way: an empty folder, the two packages as npm would have them, a filter, a changed answer. Nothing of
// the checkout is used once the packages are made.

const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
};

let folder: string;
/** Seconds by step: on the clock, and of all cores together. */
const spent: { step: string; clock: number; cpu: number }[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  const packages = await temporaryFolder();
  await step('pack', process.execPath, [join(ROOT, 'scripts/pack.mjs'), packages], ROOT);
  const files = readdirSync(packages).map((name) => join(packages, name));
  expect(files).toHaveLength(2);
  writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  await step('install', 'npm', ['install', ...flags, ...files, `vitest@${devDependencies['vitest']}`]);
}, 240_000);

afterAll(() => {
  const line = ({ step, clock, cpu }: (typeof spent)[number]): string =>
    `  ${step.padEnd(28)} ${clock.toFixed(1).padStart(6)} s   ${cpu.toFixed(1).padStart(6)} s CPU`;
  process.stdout.write(`from an empty folder to a changed answer:\n${spent.map(line).join('\n')}\n`);
});

async function step(name: string, command: string, args: readonly string[], cwd = folder): Promise<string> {
  const started = { at: performance.now(), cpu: childrenCpu() };
  const program = new Program(command, args, { cwd });
  const { code } = await program.exited;
  spent.push({
    step: name,
    clock: (performance.now() - started.at) / 1000,
    cpu: childrenCpu() - started.cpu,
  });
  if (code !== 0)
    throw new Error(`${program.command} ended with ${code}\n${program.stdout}\n${program.stderr}`);
  return program.stdout;
}

const npx = (name: string, args: readonly string[], cwd?: string): Promise<string> =>
  step(name, join(folder, 'node_modules/.bin/weir'), args, cwd);

async function ready(admin: number, weir: Program): Promise<void> {
  for (let until = Date.now() + 60_000; Date.now() < until && weir.exit === null; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${admin}/ready`).catch(() => null);
    if (answer?.status === 200) return;
  }
  throw weir.fault('was not ready');
}

/** Seconds that processes which have ended have used: `cutime` and `cstime` of proc(5), in hundredths. */
function childrenCpu(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

describe('from an empty folder with the packed packages alone', () => {
  test('a filter is begun, built, tested, and changes a real answer, in less than a minute of machine time', async () => {
    const before = spent.length;
    const cpu = childrenCpu();
    await npx('weir filter new', ['filter', 'new', 'tenant']);
    const project = join(folder, 'tenant');
    expect(await npx('weir filter build', ['filter', 'build'], project)).toContain('build/tenant.wasm');
    expect(await npx('weir filter test', ['filter', 'test'], project)).toMatch(/4 passed/);

    const [port, admin, behind] = [await freePort(), await freePort(), await freePort()];
    // The usual ports may be taken where this runs.
    const gateway = join(project, 'policies/gateway.yaml');
    const text = readFileSync(gateway, 'utf8').replace('port: 8080', `port: ${port}`);
    writeFileSync(gateway, text.replace('port: 9000', `port: ${behind}`));
    const started = performance.now();
    const upstream = new Program(process.execPath, ['upstream.mjs'], {
      cwd: project,
      env: { PORT: String(behind) },
    });
    await upstream.waitFor('upstream on', 20_000);
    const weir = new Program(
      join(folder, 'node_modules/.bin/weir'),
      ['run', '-f', 'policies', '--admin', `127.0.0.1:${admin}`, '--workers', '1'],
      { cwd: project },
    );
    await ready(admin, weir);
    const answer = await exchange(
      { port },
      getRequest('/', 'acme.example.com', 'Connection: close', 'X-Tenant: forged'),
    );
    expect(answer.status).toBe(200);
    expect(answer.header('x-served-by')).toBe('my machine');
    expect(answer.header('server')).toBeUndefined();
    expect(answer.json<{ headers: Record<string, string> }>().headers['x-tenant']).toBe('acme');
    await weir.stop();
    await upstream.stop();
    spent.push({ step: 'weir run, one request', clock: (performance.now() - started) / 1000, cpu: 0 });

    const steps = spent.slice(before);
    const clock = steps.reduce((sum, each) => sum + each.clock, 0);
    // CPU time, since how long it takes on the clock is up to whatever else the machine does.
    const machine = childrenCpu() - cpu;
    spent.push({ step: 'all without pack and install', clock, cpu: machine });
    expect(machine).toBeLessThan(60);
  }, 240_000);

  test.each(listTemplates(join(ROOT, 'filters-sdk/templates')).map(({ name }) => name))(
    'the template %s builds, its tests pass, and its cost can be told',
    async (template) => {
      const project = join(folder, `t-${template}`);
      await npx(`new ${template}`, ['filter', 'new', `t-${template}`, '--template', template]);
      await npx(`build ${template}`, ['filter', 'build', '--no-report'], project);
      const output = await npx(`test ${template}`, ['filter', 'test'], project);
      expect(output).toMatch(/\d passed/);
      expect(output).not.toMatch(/failed|skipped/);
      const cost = await npx(`bench ${template}`, ['filter', 'bench', '--rounds', '9'], project);
      expect(cost).toMatch(/all of one exchange +[\d.]+ (ns|µs)/);
      const module = `build/t-${template}.wasm`;
      expect(await npx(`inspect ${template}`, ['filter', 'inspect', module], project)).toMatch(
        /verdict +loads here/,
      );
    },
    240_000,
  );
});
