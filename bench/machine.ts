import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { versionOf } from './load/subjects.ts';
import { ROOT } from '../test/support/process.ts';

/** What a result cannot be read without. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly peers: Record<string, string>;
}

export function describeMachine(node: string): Machine {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readOr('/etc/os-release'))?.[1] ?? process.platform;
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system,
    node: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
    peers: {
      nginx: versionOf('nginx') ?? '',
      haproxy: versionOf('haproxy') ?? '',
      wrk: versionOf('wrk') ?? '',
    },
  };
}

/** Short hash of the commit; `+` where the work tree differs from it. */
export function describeCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const dirty = git(
      'status',
      '--porcelain',
      '--untracked-files=no',
      '--',
      'src',
      'filters-sdk',
      'bench/load',
    );
    return git('rev-parse', '--short=10', 'HEAD') + (dirty === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
