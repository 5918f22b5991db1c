import { createHash } from 'node:crypto';
import { LiveUpstream } from './live-upstream.ts';
import type { FilterOptions } from './testing.d.ts';

/** A weir that runs already, and the one upstream of it, which the tests play. */
export interface Attached {
  readonly url: URL;
  readonly origin: LiveUpstream;
}

/** Where `weir run` has its admin server when nothing else was said. */
const ADMIN = '127.0.0.1:9901';
const REDACTED = '[redacted]';

let attached: Promise<Attached> | null = null;
let plugins: Promise<readonly RunningPlugin[] | null> | null = null;

interface RunningPlugin {
  /** JSON where it is JSON, text elsewhere; values of secrets are `[redacted]`. */
  readonly configuration: unknown;
}

/** The same for all filters of a process: its upstream has one port. @throws Error that says what to set or to stop */
export function attach(url: string): Promise<Attached> {
  return (attached ??= listen(new URL(url)));
}

async function listen(url: URL): Promise<Attached> {
  const upstream = process.env['WEIR_LIVE_UPSTREAM'];
  if (upstream === undefined)
    throw new Error(
      `the test plays the upstream of ${url.href}: set WEIR_LIVE_UPSTREAM to the HOST:PORT that its route leads to`,
    );
  const { hostname, port } = new URL(`http://${upstream}`);
  const origin = await LiveUpstream.start(() => null, Number(port), hostname).catch((error: Error) => {
    throw new Error(
      `the test cannot play the upstream ${upstream}: ${error.message}; end what listens there (another file of ` +
        `tests does as well: run them one at a time)`,
    );
  });
  // Nobody knows which filter of the process is the last.
  origin.unref();
  return { url, origin };
}

/**
 * Why tests of a filter with these options cannot use the weir that runs; null: they can.
 *
 * @throws Error where the weir cannot be asked what it runs
 */
export async function unfitFor({ config, upstreams = [] }: FilterOptions): Promise<string | null> {
  const names = Array.isArray(upstreams) ? (upstreams as string[]) : Object.keys(upstreams);
  if (names.length > 0) return 'a call to an upstream that the test plays';
  const wanted = told(config);
  const running = await (plugins ??= askPlugins());
  if (running === null || running.some(({ configuration }) => isSame(configuration, wanted))) return null;
  return 'another configuration of the filter';
}

async function askPlugins(): Promise<readonly RunningPlugin[] | null> {
  const admin = process.env['WEIR_LIVE_ADMIN'] ?? ADMIN;
  if (admin === 'off') return null;
  const token = process.env['WEIR_LIVE_ADMIN_TOKEN'];
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://${admin}/config_dump`, { headers }).catch((error: Error) => error);
  if (answer instanceof Error || !answer.ok) {
    const why = answer instanceof Error ? String(answer.cause ?? answer) : `status ${answer.status}`;
    throw new Error(
      `the weir cannot be asked how it configures the filter: http://${admin}/config_dump: ${why}. Set ` +
        'WEIR_LIVE_ADMIN to its admin server, and WEIR_LIVE_ADMIN_TOKEN where that asks for one; WEIR_LIVE_ADMIN=off ' +
        'runs all tests, whatever it runs',
    );
  }
  const { snapshot } = (await answer.json()) as { snapshot: { plugins: readonly RunningPlugin[] } };
  return snapshot.plugins;
}

/** As the admin server tells a configuration: JSON as what it says, of other text its size and digest. */
function told(config: unknown): unknown {
  if (config === undefined) return '';
  if (typeof config !== 'string' || config === '') return config;
  try {
    return JSON.parse(config);
  } catch {
    const digest = createHash('sha256').update(config).digest('hex').slice(0, 12);
    return `[${Buffer.byteLength(config)} bytes, sha256 ${digest}]`;
  }
}

/** Secrets are not shown, so that they cannot be told apart. */
function isSame(running: unknown, wanted: unknown): boolean {
  if (running === REDACTED) return wanted !== undefined;
  if (!isObject(running) || !isObject(wanted)) return running === wanted;
  if (Array.isArray(running) !== Array.isArray(wanted)) return false;
  const names = new Set([...Object.keys(running), ...Object.keys(wanted)]);
  return [...names].every((name) => isSame(running[name], wanted[name]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
