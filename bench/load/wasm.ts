/** A chain of the same filter, for weir and for Envoy: a plugin of test/plugins in its role `typical`. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pluginFile, type Language } from '../../test/languages/build.ts';
import { bootstrap } from '../../test/envoy/bootstrap.ts';
import { freePort } from '../../test/support/ports.ts';

export interface WasmChain {
  readonly language: Language;
  readonly filters: number;
}

const ROLE = 'typical';

/** Adds the chain to weir's configuration for a scenario without filters. */
export function addChain(policies: string, { language, filters }: WasmChain): void {
  copyFileSync(pluginFile(language), join(dirname(policies), 'plugin.wasm'));
  const list = Array.from({ length: filters }, (_, i) => ({
    name: `filter-${i}`,
    use: 'module/plugin',
    rootId: 'plugin',
    config: ROLE,
  }));
  // Envoy hides nothing from plugins.
  const capabilities = ['default', 'secrets'];
  const module = { source: { file: 'plugin.wasm' }, limits: { memory: '64Mi' }, capabilities };
  const chain = { targetRefs: [{ kind: 'HTTPRoute', name: 'bodies' }], filters: list };
  const kinds = [policy('Module', 'plugin', module), policy('FilterChain', 'chain', chain)];
  const text = readFileSync(policies, 'utf8').trimEnd();
  writeFileSync(policies, [text, ...kinds.map((kind) => JSON.stringify(kind))].join('\n---\n'));
}

function policy(kind: string, name: string, spec: object): object {
  return { apiVersion: 'policy.weir/v1alpha1', kind, metadata: { name, namespace: 'bench' }, spec };
}

/** Envoy's configuration for the same; its filters share one VM, as they do there without further words. */
export async function envoyFile(
  folder: string,
  port: number,
  upstreamPort: number,
  chain: WasmChain | null,
): Promise<string> {
  const filters = Array.from({ length: chain?.filters ?? 0 }, (_, i) => ({
    name: `filter-${i}`,
    file: pluginFile(chain!.language),
    rootId: 'plugin',
    vmId: 'bench',
    configuration: ROLE,
    vmConfiguration: '',
  }));
  const config = bootstrap({
    adminPort: await freePort(),
    clusters: { origin: upstreamPort },
    listeners: [{ name: 'bench', protocol: 'http', port, filters }],
    plain: true,
  });
  const file = join(folder, `envoy-${port}.json`);
  writeFileSync(file, JSON.stringify(config));
  return file;
}
