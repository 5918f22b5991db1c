import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import { isTcp, type ModuleSpec, type PluginSpec, type Snapshot } from '../runtime/snapshot.ts';
import { expandCapabilities } from '../runtime/wasm/capabilities.ts';
import type { Loaded } from './load.ts';
import { vmFieldsOf } from './module-vm.ts';
import { digestOf } from './modules.ts';
import { snapshotVersion } from './version.ts';

/** Of the filter; names of an author's filters have a `#`. */
export const DEV_OVERLAY = 'dev/overlay';
const MEMORY_BYTES = 16 * 1024 * 1024;

/**
 * A configuration with the filter of `weir dev` before all others, wherever requests pass. It is put into the
 * snapshot and not into the objects: a configuration cannot name it, and one that is served without `weir dev` has
 * nothing of it.
 *
 * @param scriptUrl what HTML pages load at their end
 */
export async function withDevOverlay(loaded: Loaded, scriptUrl: string): Promise<Loaded> {
  const { snapshot } = loaded;
  if (snapshot === null) return loaded;
  const bytes = await readFile(join(packageRoot(), 'dist/dev/overlay.wasm'));
  const digest = digestOf(bytes);
  const code = new Map(loaded.code).set(digest, bytes);
  return { ...loaded, code, snapshot: withFilter(snapshot, digest, scriptUrl) };
}

function withFilter(snapshot: Snapshot, digest: string, configuration: string): Snapshot {
  const module: ModuleSpec = { name: DEV_OVERLAY, digest, source: DEV_OVERLAY, memoryBytes: MEMORY_BYTES };
  const plugin: PluginSpec = {
    name: DEV_OVERLAY,
    filter: 'dev-overlay',
    source: DEV_OVERLAY,
    module: snapshot.modules.length,
    rootId: '',
    tenant: 'weir',
    ...vmFieldsOf(null),
    configuration,
    onError: 'skip',
    capabilities: expandCapabilities(['headers', 'body']),
    bodyBufferBytes: 0,
    onBodyOverflow: 'stream',
    bodyWhileHeld: false,
    properties: 'text',
    callouts: [],
  };
  // Chains of TCP connections stay as they are, in their places.
  const first = snapshot.chains.length;
  const overlay = snapshot.plugins.length;
  const { version: _version, ...rest } = snapshot;
  const content: Omit<Snapshot, 'version'> = {
    ...rest,
    modules: [...snapshot.modules, module],
    plugins: [...snapshot.plugins, plugin],
    chains: [...snapshot.chains, ...snapshot.chains.map((chain) => [overlay, ...chain])],
    rules: snapshot.rules.map((rule) => ({ ...rule, chain: first + rule.chain })),
    ports: snapshot.ports.map((port) =>
      isTcp(port)
        ? port
        : {
            ...port,
            listeners: port.listeners.map((listener) => ({ ...listener, chain: first + listener.chain })),
          },
    ),
  };
  return { version: snapshotVersion(content), ...content };
}
