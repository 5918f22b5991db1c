import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A crate that carries tests as data. */
export interface Crate {
  readonly name: string;
  readonly version: string;
}

function cacheOf({ name, version }: Crate): string {
  return fileURLToPath(new URL(`../../node_modules/.cache/${name}-${version}`, import.meta.url));
}

/** Where the sources of a crate are that {@link vendor} got. */
export function sourcesOf(crate: Crate): string {
  return join(cacheOf(crate), 'vendor', crate.name);
}

/** Gets a crate through cargo, once. @throws where there is no cargo, or the registry does not answer */
export function vendor(crate: Crate): void {
  if (existsSync(sourcesOf(crate))) return;
  const { name, version } = crate;
  const cache = cacheOf(crate);
  const folder = `${cache}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const manifest = `[package]\nname = "weir-spec"\nversion = "0.0.0"\nedition = "2021"\n\n[lib]\npath = "lib.rs"\n\n[dependencies]\n${name} = "=${version}"\n`;
  writeFileSync(join(folder, 'Cargo.toml'), manifest);
  writeFileSync(join(folder, 'lib.rs'), '');
  try {
    execFileSync('cargo', ['vendor', '--quiet', 'vendor'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (fault) {
    throw new Error(`the tests in the crate ${name} ${version} cannot be had: cargo vendor`, {
      cause: fault,
    });
  }
  rmSync(cache, { recursive: true, force: true });
  renameSync(folder, cache);
}
