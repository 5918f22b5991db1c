import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './process.ts';

/** A program of this folder as one file that Node runs, in a folder of its own. */
export class Bundle {
  readonly entry: string;
  readonly #name: string;
  readonly #folder: string;

  /** @param name of `test/support/<name>.ts` */
  constructor(name: string) {
    this.#name = name;
    // Inside the repository, so that the bundle finds its dependencies.
    this.#folder = join(ROOT, 'dist', `.test-${process.pid}-${name}`);
    this.entry = join(this.#folder, `${name}.mjs`);
  }

  async build(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await build({
      entryPoints: [join(ROOT, `test/support/${this.#name}.ts`)],
      outfile: this.entry,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    });
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
