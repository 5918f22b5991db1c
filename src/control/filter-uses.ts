import type { PluginSpec } from '../runtime/snapshot.ts';
import { expandCapabilities } from '../runtime/wasm/capabilities.ts';
import type { Assets } from './assets.ts';
import type { Config, UsableObject } from './config.ts';
import type { FilterSchema } from './filter-schema.ts';
import type { Phase } from './phase.ts';
import type { FilterConfig } from './schema/filter-chain.ts';

type Chain = UsableObject<'FilterChain'>;

/** The Module that a filter uses; undefined where it is one that ships with weir. */
export function moduleName(use: string): string | undefined {
  return /^module\/(.*)$/.exec(use)?.[1];
}

/** What is known of the filters of chains by what their `use` says. */
export class FilterUses {
  readonly #config: Config;
  readonly #assets: Assets;

  constructor(config: Config, assets: Assets) {
    this.#config = config;
    this.#assets = assets;
  }

  /** The Module object; undefined for built-in filters and where there is none. */
  moduleOf(namespace: string, use: string) {
    const own = moduleName(use);
    return own === undefined ? undefined : this.#config.find('Module', namespace, own);
  }

  schemaOf(chain: Chain, use: string): FilterSchema | null {
    const own = moduleName(use);
    if (own === undefined) return this.#assets.builtins.get(use)?.schema ?? null;
    return this.#assets.schemas.get(`${chain.namespace}/${own}`)?.schema ?? null;
  }

  phaseOf(chain: Chain, use: string): Phase | null {
    const declared = this.schemaOf(chain, use)?.phase ?? null;
    return this.moduleOf(chain.namespace, use)?.value?.spec.phase ?? declared;
  }

  /** What a Module says, and for a built-in filter its schema. */
  capabilitiesOf(chain: Chain, use: string): string[] {
    if (moduleName(use) === undefined)
      return expandCapabilities(this.#assets.builtins.get(use)?.schema?.capabilities);
    return expandCapabilities(this.moduleOf(chain.namespace, use)?.value?.spec.capabilities);
  }

  /** Whether each place where the chain runs has instances of its own. */
  isOfAttachment(chain: Chain, filter: FilterConfig): boolean {
    return this.moduleOf(chain.namespace, filter.use)?.value?.spec.instances.isolation === 'Attachment';
  }

  /** Members of the filter's configuration that came from Secrets. */
  fromSecrets(chain: Chain, filter: string): readonly string[] {
    return this.#assets.secretMembers.get(`${chain.namespace}/${chain.name}#${filter}`) ?? [];
  }

  secretFields(chain: Chain, { name, use }: FilterConfig): { secretFields?: readonly string[] } {
    const marked = this.schemaOf(chain, use)?.secretNames ?? [];
    const secretFields = [...new Set([...marked, ...this.fromSecrets(chain, name)])];
    return secretFields.length === 0 ? {} : { secretFields };
  }

  /** What the filter sees of bodies: a schema may say that its configuration decides. */
  bodies(chain: Chain, filter: FilterConfig): Pick<PluginSpec, 'bodyWhileHeld' | 'withoutBodies'> {
    const shown = filter.body.whileHeadHeld === 'Show';
    const takes = this.schemaOf(chain, filter.use)?.takesBodies(filter.config) ?? null;
    if (takes === null) return { bodyWhileHeld: shown };
    if (takes) return { bodyWhileHeld: true };
    return { bodyWhileHeld: shown, withoutBodies: true };
  }
}
