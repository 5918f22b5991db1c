// Runs the tests and ends with the one line that says how it went: `N passed, N failed` (and, where some
// were, `, N skipped`). `--slow`, `--abi`, `--envoy` and `--spec` run those of that project instead (vitest.config.ts).
// Other arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const rest = process.argv.slice(2);
const PROJECTS = ['slow', 'abi', 'envoy', 'spec'];
const project = PROJECTS.find((name) => rest.includes(`--${name}`)) ?? 'default';
// What runs by default is two projects (vitest.config.ts).
const projects = project === 'default' ? ['default', 'examples'] : [project];
const folder = mkdtempSync(join(tmpdir(), 'weir-results-'));
const file = join(folder, 'results.json');

const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...projects.flatMap((name) => ['--project', name]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...rest.filter((argument) => argument !== `--${project}`),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, WEIR_PROJECT: project, ...(project === 'slow' ? { WEIR_SLOW: '1' } : {}) },
  },
);

const results = read(file);
const { passed, failed, skipped } = count(results, status);
rmSync(folder, { recursive: true, force: true });
for (const line of failures(results)) console.log(line);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed > 0 ? 1 : 0);

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** What failed, a line each, where whoever reads only the end of a long output sees it. */
function failures(results) {
  return (results?.testResults ?? []).flatMap((suite) => {
    const tests = suite.assertionResults.filter((test) => test.status === 'failed');
    const faults =
      tests.length > 0
        ? tests.map((test) => [test.fullName, test.failureMessages[0]])
        : suite.status === 'failed'
          ? [['', suite.message]]
          : [];
    return faults.map(
      ([name, message]) =>
        `FAILED ${relative(root, suite.name)} ${name}: ${String(message ?? '').split('\n')[0]}`,
    );
  });
}

function count(results, exit) {
  if (results === null) return { passed: 0, failed: 1, skipped: 0 };
  const tests = results.testResults.flatMap((suite) => suite.assertionResults);
  const of = (...states) => tests.filter((test) => states.includes(test.status)).length;
  // A file that could not be loaded has no tests to fail, so it counts as one.
  const broken = results.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  let failedTests = of('failed') + broken;
  // Unhandled errors and a run without tests show in the exit code alone.
  if (exit !== 0 && failedTests === 0) failedTests = 1;
  return { passed: of('passed'), failed: failedTests, skipped: of('skipped', 'pending', 'todo', 'disabled') };
}
