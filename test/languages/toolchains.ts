/** Compilers for the test plugins: found, or installed where we may, or a fault that says what to do. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * @param commands each with the Debian package that has it
 * @param files each with its package; one without a slash is a library of the compiler, which has no fixed place
 */
export function needDebian(
  commands: Readonly<Record<string, string>>,
  files: readonly (readonly [file: string, from: string])[],
): void {
  const lacking = [
    ...Object.entries(commands).filter(([command]) => output(command, ['--version']) === null),
    ...files.filter(([file]) => (file.includes('/') ? !existsSync(file) : !hasRuntime(file))),
  ].map(([, from]) => from);
  if (lacking.length > 0) installDebian(lacking);
}

function hasRuntime(target: string): boolean {
  const file = output('clang', [
    `--target=${target}-wasi`,
    '--print-libgcc-file-name',
    '--rtlib=compiler-rt',
  ]);
  return file !== null && existsSync(file.trim());
}

export function installDebian(packages: readonly string[]): void {
  const command = packages.join(' ');
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]): void => {
    // Test files run in parallel, and apt-get does not wait for another one.
    execFileSync('flock', [join(tmpdir(), 'weir-test-apt.lock'), ...sudo, 'apt-get', ...args], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  process.stderr.write(`weir: installing ${command}\n`);
  try {
    apt('update', '-q');
    apt('install', '-qy', '--no-install-recommends', ...packages);
  } catch (fault) {
    throw new Error(`could not install what a test needs: apt-get install ${command}`, { cause: fault });
  }
}

export function needRustTarget(target: string): void {
  const libraries = output('rustc', ['--print', 'target-libdir', '--target', target]);
  if (libraries === null)
    throw new Error('Rust is not installed: the plugin in Rust needs rustc, cargo and rustup');
  if (existsSync(libraries.trim())) return;
  process.stderr.write(`weir: rustup target add ${target}\n`);
  try {
    execFileSync('rustup', ['target', 'add', target], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (fault) {
    throw new Error(`the library of Rust for ${target} cannot be had: rustup target add ${target}`, {
      cause: fault,
    });
  }
}

/** @param least such as 1.24, the first that builds reactors for WASI */
export function needGo(least: string): void {
  const version = /go(\d+)\.(\d+)/.exec(output('go', ['version']) ?? '');
  const [major, minor] = least.split('.').map(Number) as [number, number];
  const fits =
    version !== null &&
    (Number(version[1]) > major || (Number(version[1]) === major && Number(version[2]) >= minor));
  if (!fits) throw new Error(`the plugin in Go needs Go ${least} or newer; found: ${version?.[0] ?? 'none'}`);
}

function output(command: string, args: string[]): string | null {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}
