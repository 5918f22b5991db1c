import type { ModuleSpec, PluginSpec } from '../runtime/snapshot.ts';
import type { Link } from './chain-order.ts';

/** Names of those who may be found to send a request; null: nobody knows them beforehand. */
export type SenderNames = ReadonlySet<string> | null;

/** Built-in filters that know everybody by name: the list that they are in, and what is a name there, else. */
const LISTS: Readonly<Record<string, readonly [list: string, otherwise: string]>> = {
  'builtin/api-key': ['keys', 'name'],
  'builtin/basic': ['users', 'username'],
  'builtin/hmac': ['keys', 'id'],
  'builtin/mtls': ['identities', 'name'],
};

/** What filters of a chain find out of who sends. */
export class SenderTable {
  readonly #plugins: readonly PluginSpec[];
  readonly #modules: readonly ModuleSpec[];
  readonly #byPlugin = new Map<number, SenderNames>();

  constructor(plugins: readonly PluginSpec[], modules: readonly ModuleSpec[]) {
    this.#plugins = plugins;
    this.#modules = modules;
  }

  /** Those whom the filters in front of access may find; nobody where none of them looks. */
  of(links: readonly Link[]): SenderNames {
    const names = new Set<string>();
    for (const { phase, plugin } of links) {
      // One without a phase may be what finds out.
      if (phase !== null && phase !== 'authn') continue;
      const found = this.#namesOf(plugin);
      if (found === null) return null;
      for (const name of found) names.add(name);
    }
    return names;
  }

  #namesOf(index: number): SenderNames {
    const known = this.#byPlugin.get(index);
    if (known !== undefined) return known;
    const { module, configuration } = this.#plugins[index]!;
    const list = LISTS[this.#modules[module]!.name];
    const names = list === undefined ? null : namesIn(configuration, ...list);
    this.#byPlugin.set(index, names);
    return names;
  }
}

function namesIn(configuration: string, list: string, otherwise: string): SenderNames {
  const all = (JSON.parse(configuration || '{}') as Record<string, unknown>)[list];
  if (!Array.isArray(all)) return null;
  const names = (all as Record<string, unknown>[]).map((each) => each['name'] ?? each[otherwise]);
  return new Set(names.filter((name) => typeof name === 'string'));
}
