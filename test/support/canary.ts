import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';

/** Program of the canary's thread, for code that tests run from its sources. */
export const CANARY = pathToFileURL(
  join(fileURLToPath(new URL('../..', import.meta.url)), 'dist/canary-thread.js'),
);
