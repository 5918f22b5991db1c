import { LANGUAGES, pluginFile } from './build.ts';

/** Compiles before any test file runs, since several would want the same module at once. */
export default function setup(): void {
  for (const language of LANGUAGES) pluginFile(language);
}
