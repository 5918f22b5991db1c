import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import type { ModuleLimits } from '../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import type { PluginSpec } from '../../src/runtime/snapshot.ts';
import {
  given,
  guest,
  outWord,
  results,
  type GuestOptions,
  type Script,
  type Scripts,
} from './wasm-guest.ts';
import { BareHost } from './bare-host.ts';
import { BareStream } from './bare-stream.ts';

export interface RunOptions extends GuestOptions {
  readonly spec?: Partial<PluginSpec>;
  readonly host?: BareHost;
  readonly limits?: ModuleLimits;
  /** Beside `proxy_on_request_headers`. */
  readonly scripts?: Scripts;
  readonly stream?: BareStream;
}

/** What a script did when it ran as `proxy_on_request_headers`. */
export class Run {
  readonly host: BareHost;
  readonly plugin: Plugin;
  readonly stream: BareStream;
  readonly context: StreamContext;
  readonly action: number;

  constructor(host: BareHost, plugin: Plugin, stream: BareStream, context: StreamContext, action: number) {
    this.host = host;
    this.plugin = plugin;
    this.stream = stream;
    this.context = context;
    this.action = action;
  }

  /** What the first `count` host calls answered. */
  results(count: number): number[] {
    return results(this.context.vm, count);
  }

  word(index: number): number {
    return outWord(this.context.vm, index);
  }

  /** The bytes behind the pointer and size in out words `index` and `index + 1`. */
  given(index = 0): string {
    return given(this.context, index).toString('latin1');
  }
}

/** Starts a guest and lets a script run as its `proxy_on_request_headers`. */
export async function runScript(script: (script: Script) => void, options: RunOptions = {}): Promise<Run> {
  const host = options.host ?? new BareHost();
  const plugin = await host.start(
    guest({ proxy_on_request_headers: script, ...options.scripts }, options),
    options.spec,
    options.limits,
  );
  const stream = options.stream ?? new BareStream();
  const head = stream.headerMap(0) ?? stream.request();
  const context = plugin.createContext(stream)!;
  return new Run(host, plugin, stream, context, context.onRequestHeaders(head.count, false));
}
