import { compileModule } from '../../src/runtime/wasm/module.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import { pluginBytes } from './plugin.ts';
import { BareHost } from './bare-host.ts';
import { BareStream } from './bare-stream.ts';

/** By the host's `weir.verify_jws`, or as in a host that has `verify_signature` alone. */
export type JwsWay = 'native' | 'fallback';

const base64url = (data: string | Uint8Array): string => Buffer.from(data as string).toString('base64url');

/** The SDK's check of signatures, in a filter in the real host. */
export class JwsPlugin {
  readonly host: BareHost;
  readonly #plugin: Plugin;

  private constructor(host: BareHost, plugin: Plugin) {
    this.host = host;
    this.#plugin = plugin;
  }

  static async start(way: JwsWay): Promise<JwsPlugin> {
    const bytes = Buffer.from(pluginBytes('sdk-jws'));
    if (way === 'fallback') {
      const at = bytes.indexOf(Buffer.from('weir.verify_jws', 'utf16le'));
      if (at < 0) throw new Error('the module does not name weir.verify_jws');
      bytes.write('none', at, 'utf16le');
    }
    const host = new BareHost();
    // RSA on a loaded machine takes longer than a callback of a filter may.
    const module = await compileModule(bytes, {
      cpu: { perCallMs: 10_000, perRequestMs: 10_000, perStartMs: 10_000 },
    });
    return new JwsPlugin(host, await host.start(module));
  }

  get heapBytes(): number {
    return this.#plugin.heapBytes;
  }

  verify(
    algorithm: string,
    jwk: object | string,
    input: string | Uint8Array,
    signature: Uint8Array,
  ): boolean {
    const stream = new BareStream();
    const head = stream.request([
      [':path', '/'],
      ['x-algorithm', algorithm],
      ['x-key', base64url(typeof jwk === 'string' ? jwk : JSON.stringify(jwk))],
      ['x-input', base64url(input)],
      ['x-signature', base64url(signature)],
    ]);
    const context = this.#plugin.createContext(stream)!;
    context.onRequestHeaders(head.count, true);
    const right = head.get('x-right');
    context.finish();
    if (right !== 'true' && right !== 'false')
      throw new Error(`${right} ${this.host.messages.join(' ')} ${stream.failed.join(' ')}`);
    return right === 'true';
  }
}
