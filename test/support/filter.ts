import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import { expandCapabilities } from '../../src/runtime/wasm/capabilities.ts';
import { compileModule, type CompiledModule } from '../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { TestHost } from './wasm-host.ts';
import { ArrayStream, type Fields } from './wasm-stream.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const modules = new Map<string, Promise<CompiledModule>>();

/** The bytes of a filter that ships with weir, compiled first if its sources changed. */
export function filterBytes(name: string): Buffer {
  execFileSync(process.execPath, ['scripts/build-filters.mjs', name], { cwd: root, stdio: 'pipe' });
  return readFileSync(`${root}dist/filters/${name}.wasm`);
}

/** What its schema says that it needs: with more, a test would not notice what is missing. */
function capabilitiesOf(name: string): string[] {
  const schema = JSON.parse(readFileSync(`${root}src/filters/${name}/schema.json`, 'utf8')) as {
    'x-weir-capabilities': string[];
  };
  return schema['x-weir-capabilities'];
}

export function filterModule(name: string): Promise<CompiledModule> {
  let module = modules.get(name);
  if (module === undefined) modules.set(name, (module = compileModule(filterBytes(name))));
  return module;
}

/** A built-in filter with one configuration, in the real host. */
export class FilterRun {
  readonly host: TestHost;
  readonly plugin: Plugin;

  constructor(host: TestHost, plugin: Plugin) {
    this.host = host;
    this.plugin = plugin;
  }

  static async start(name: string, config: unknown, host = new TestHost()): Promise<FilterRun> {
    const configuration = typeof config === 'string' ? config : JSON.stringify(config);
    const capabilities = expandCapabilities(capabilitiesOf(name));
    return new FilterRun(host, await host.start(await filterModule(name), { configuration, capabilities }));
  }

  /** What the filter logs about a configuration that it refuses. */
  static async refusal(name: string, config: unknown): Promise<string[]> {
    const host = new TestHost();
    try {
      await FilterRun.start(name, config, host);
    } catch {
      return host.messages.map((message) => message.replace(/^configuration /, ''));
    }
    throw new Error('the configuration was accepted');
  }

  /** A request as far as its head. */
  request(fields: Fields = [], stream = new ArrayStream()): Exchange {
    const head = stream.request(fields);
    const context = this.plugin.createContext(stream)!;
    return new Exchange(stream, context, context.onRequestHeaders(head.count, true));
  }
}

/** One request that a filter has seen, and what it did. */
export class Exchange {
  readonly stream: ArrayStream;
  readonly context: StreamContext;
  readonly action: number;

  constructor(stream: ArrayStream, context: StreamContext, action: number) {
    this.stream = stream;
    this.context = context;
    this.action = action;
  }

  /** The request's fields without the pseudo-headers. */
  get fields(): string[] {
    return lines(this.stream.headerMap(0)!.entries());
  }

  get path(): string {
    return this.stream.headerMap(0)!.get(':path')!;
  }

  /** Lets the filter see an answer; its fields afterwards. */
  respond(fields: Fields = []): string[] {
    const head = this.stream.response([[':status', '200'], ...fields]);
    this.context.onResponseHeaders(head.count, true);
    return lines(head.entries());
  }

  /** The filter's own answer. */
  get reply(): { status: number; details: string; body: string; headers: string[] } | null {
    const reply = this.stream.replies[0];
    if (reply === undefined) return null;
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    return {
      status: reply.status,
      details: reply.details,
      body: text(reply.body),
      headers: reply.headers.map(([name, value]) => `${text(name)}: ${text(value)}`),
    };
  }
}

function lines(entries: readonly (readonly [string, string])[]): string[] {
  return entries.filter(([name]) => !name.startsWith(':')).map(([name, value]) => `${name}: ${value}`);
}
