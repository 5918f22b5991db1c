import type { Assets } from './assets.ts';
import type { Config, UsableObject } from './config.ts';
import { formatPath } from './document.ts';
import type { FilterSchema } from './filter-schema.ts';
import { moduleName, type FilterUses } from './filter-uses.ts';
import { suggest } from './nearest.ts';
import { failsClosed } from './phase.ts';
import type { PlanTable } from './plans.ts';
import type { FilterConfig } from './schema/filter-chain.ts';
import type { StoreTable } from './stores.ts';
import { valueAt } from './validate.ts';
import { checkSchemas } from './validation.ts';

type Chain = UsableObject<'FilterChain'>;

interface FilterCheckDeps {
  readonly config: Config;
  readonly assets: Assets;
  readonly uses: FilterUses;
  readonly stores: StoreTable;
  readonly plans: PlanTable;
}

/** Holds the filters of chains to what they use. */
export class FilterChecks {
  readonly #deps: FilterCheckDeps;

  constructor(deps: FilterCheckDeps) {
    this.#deps = deps;
  }

  /** References and configurations, whether or not the chain is in use. */
  check(chain: Chain): void {
    for (const [i, filter] of chain.value.spec.filters.entries()) {
      const path = ['spec', 'filters', i];
      this.#checkCallouts(chain, filter, i);
      this.#checkOnError(chain, filter, i);
      this.#deps.stores.check(chain, i);
      this.#deps.plans.check(chain, i);
      checkSchemas(this.#deps.config, chain, i);
      const own = moduleName(filter.use);
      if (own !== undefined) {
        if (this.#deps.config.find('Module', chain.namespace, own) === undefined) {
          const wanted = { kind: 'Module', namespace: chain.namespace, name: own } as const;
          this.#deps.config.reportMissing(
            chain,
            'WEIR2105',
            [...path, 'use'],
            `filter "${filter.name}":`,
            wanted,
          );
        }
        const known = this.#deps.assets.schemas.get(`${chain.namespace}/${own}`);
        if (known !== undefined) this.#checkConfig(chain, i, known.schema, known.from);
        continue;
      }
      const builtin = this.#deps.assets.builtins.get(filter.use);
      if (builtin === undefined) {
        const known = [...this.#deps.assets.builtins.keys()];
        const modules = this.#deps.config.names('Module', chain.namespace).map((name) => `module/${name}`);
        this.#deps.config.report(
          chain,
          'WEIR1205',
          [...path, 'use'],
          `filter "${filter.name}": no built-in filter is named "${filter.use}"`,
          {
            hint: modules.includes(`module/${filter.use}`)
              ? `did you mean "module/${filter.use}"?`
              : suggest(filter.use, [...known, ...modules]),
            notes: [
              known.length > 0
                ? `built-in filters: ${known.join(', ')}`
                : 'the built-in filters are not built: npm run build',
            ],
          },
        );
        continue;
      }
      const from = `of the built-in filter "${filter.use}"`;
      if (builtin.schema !== null) this.#checkConfig(chain, i, builtin.schema, from);
    }
  }

  /** @param from where the schema is */
  #checkConfig(chain: Chain, index: number, schema: FilterSchema, from: string): void {
    const filter = chain.value.spec.filters[index]!;
    const path = ['spec', 'filters', index];
    const secret = schema.secret || this.#deps.uses.fromSecrets(chain, filter.name).length > 0;
    const faults = schema.check(filter.config ?? {}, secret);
    if (faults.length === 0) this.#checkUpstreams(chain, index, schema, from);
    for (const fault of faults) {
      const at = [...path, 'config', ...fault.path];
      const there = valueAt(chain.document.value, at) !== undefined || filter.config !== undefined;
      this.#deps.config.report(
        chain,
        'WEIR1207',
        there ? at : [...path, 'use'],
        `filter "${filter.name}": ${fault.message}`,
        {
          key: fault.key,
          hideLine: secret,
          hint: fault.hint,
          notes: [
            `rule comes from the schema ${from}${fault.origin === undefined ? '' : `, ${fault.origin}`}`,
          ],
        },
      );
    }
  }

  /** A filter reaches no Upstream that its place in the chain does not grant. */
  #checkUpstreams(chain: Chain, index: number, schema: FilterSchema, from: string): void {
    const filter = chain.value.spec.filters[index]!;
    const granted = filter.callouts.map(({ as, name }) => as ?? name);
    for (const { path, name } of schema.upstreamsIn(filter.config ?? {})) {
      if (granted.includes(name)) continue;
      this.#deps.config.report(
        chain,
        'WEIR1207',
        ['spec', 'filters', index, 'config', ...path],
        `filter "${filter.name}": ${formatPath(['config', ...path])} names "${name}", which is none of the callouts of the filter`,
        {
          hint: suggest(name, granted) ?? `add callouts: [{name: ${name}}] beside config`,
          notes: [`rule comes from the schema ${from}`],
        },
      );
    }
  }

  /** A filter that decides who may pass must not be passed by where it fails. */
  #checkOnError(chain: Chain, filter: FilterConfig, index: number): void {
    const phase = this.#deps.uses.phaseOf(chain, filter.use);
    if (filter.onError === 'Deny' || !failsClosed(phase)) return;
    const path = ['spec', 'filters', index, 'onError'];
    const message = `filter "${filter.name}": onError: Skip is not for filters of the phase ${phase}, which fail closed`;
    this.#deps.config.report(chain, 'WEIR1046', path, message, { hint: 'leave onError out' });
  }

  /** To grant upstreams to a module that may not call any is a contradiction. */
  #checkCallouts(chain: Chain, filter: FilterConfig, index: number): void {
    if (filter.callouts.length === 0) return;
    const capabilities = this.#deps.uses.capabilitiesOf(chain, filter.use);
    if (capabilities.includes('httpCall') || capabilities.includes('grpcCall')) return;
    this.#deps.config.report(
      chain,
      'WEIR1046',
      ['spec', 'filters', index, 'callouts'],
      `filter "${filter.name}" has callouts, and ${filter.use} has neither of the capabilities httpCall and grpcCall`,
    );
  }
}
