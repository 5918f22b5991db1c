import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A test asked a weir over sockets for what only the host in its own process can tell or do. */
export class NotLive extends Error {
  constructor(what: string) {
    super(`${what} is not to be had from a weir that is running (WEIR_LIVE)`);
    this.name = 'NotLive';
  }
}

interface RunningTest {
  readonly context: { skip(reason: string): never };
}

let currentTest: () => RunningTest | undefined = () => undefined;

/** Finds the test runner, so that tests can be skipped in their middle. */
export async function findRunner(): Promise<void> {
  if (process.env['VITEST'] === undefined) return;
  const manifest = createRequire(join(process.cwd(), 'test.js')).resolve('vitest/package.json');
  const { TestRunner } = (await import(pathToFileURL(join(manifest, '../dist/index.js')).href)) as {
    readonly TestRunner?: { getCurrentTest(): RunningTest | undefined };
  };
  // Older ones do not tell which test runs.
  if (TestRunner !== undefined) currentTest = () => TestRunner.getCurrentTest();
}

export function isTestRunning(): boolean {
  return currentTest() !== undefined;
}

/**
 * Skips the test that runs, with the reason, where the runner is vitest.
 *
 * @throws NotLive elsewhere: what was not looked at must not pass for right
 */
export function skip(what: string): never {
  const reason = new NotLive(what);
  currentTest()?.context.skip(reason.message);
  throw reason;
}
