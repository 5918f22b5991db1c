import type { Config, UsableObject } from './config.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Path } from './document.ts';
import type { FilterUses } from './filter-uses.ts';

/** A text of a Secret that is shorter may be part of any word. */
const SHORTEST_SECRET = 4;

/** Where a filter of a chain is written, for what it says of its configuration when it is started. */
export class FilterPlace {
  readonly filter: string;
  readonly #chain: UsableObject<'FilterChain'>;
  readonly #index: number;
  /** The configuration as the filter received it. */
  readonly #received: string;
  readonly #isSecret: boolean;
  readonly #secrets: readonly string[];

  constructor(
    chain: UsableObject<'FilterChain'>,
    index: number,
    received: string,
    hidden: { readonly isSecret: boolean; readonly texts: readonly string[] },
  ) {
    this.filter = chain.value.spec.filters[index]!.name;
    this.#chain = chain;
    this.#index = index;
    this.#received = received;
    this.#isSecret = hidden.isSecret;
    this.#secrets = hidden.texts.filter(({ length }) => length >= SHORTEST_SECRET);
  }

  /** What stands at a line and column, from 1, of the text that the filter received; null where that is not known. */
  pathAt(line: number, column: number): Path | null {
    const value = parsed(this.#received);
    if (line !== 1 || JSON.stringify(value) !== this.#received) return null;
    const before = [...this.#received].slice(0, column - 1).join('');
    return pathAt(value, before.length);
  }

  /** A fault of what the path leads to in the configuration that the filter received, told where somebody wrote it. */
  fault(
    path: Path,
    message: string,
    options: { readonly hint?: string | undefined; readonly notes: readonly string[] },
  ): Diagnostic {
    const place = ['spec', 'filters', this.#index];
    const { config } = this.#chain.value.spec.filters[this.#index]!;
    const at = config === undefined ? place : [...place, 'config', ...this.#written(config, path)];
    return this.#chain.document.fault('WEIR4002', at, this.#hide(message), {
      hint: options.hint === undefined ? undefined : this.#hide(options.hint),
      ...(options.notes.length > 0 ? { notes: options.notes.map((note) => this.#hide(note)) } : {}),
      hideLine: this.#isSecret,
    });
  }

  /** How much of a path is in the file: weir puts keys of Consumers, Plans and OpenAPI documents into configurations. */
  #written(config: unknown, path: Path): Path {
    let written = config;
    for (const [depth, part] of path.entries()) {
      written = memberOf(written, part);
      if (written === undefined) return path.slice(0, depth);
    }
    return path;
  }

  #hide(text: string): string {
    return this.#secrets.reduce((left, secret) => left.replaceAll(secret, '[redacted]'), text);
  }
}

/**
 * Finds the filter of a plugin in the chains.
 *
 * @param plugin name of its spec: `namespace/chain#filter`, with `@scope` where each place has its own
 * @param received the configuration of its spec
 * @returns null where no chain has it: weir made it of other objects
 */
export function findFilter(
  config: Config,
  uses: FilterUses,
  secrets: readonly string[],
  { name, configuration }: { readonly name: string; readonly configuration: string },
): FilterPlace | null {
  const [, namespace, chainName, filterName] = /^([^/]+)\/([^#]+)#([^@]+)/.exec(name) ?? [];
  const chain = config
    .all('FilterChain')
    .find((each) => each.namespace === namespace && each.name === chainName);
  const index = chain?.value.spec.filters.findIndex((filter) => filter.name === filterName) ?? -1;
  if (chain === undefined || index < 0) return null;
  const { use } = chain.value.spec.filters[index]!;
  const isSecret =
    uses.schemaOf(chain, use)?.secret === true || uses.fromSecrets(chain, filterName!).length > 0;
  return new FilterPlace(chain, index, configuration, { isSecret, texts: secrets });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, part: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, part)
    ? (value as Record<string | number, unknown>)[part]
    : undefined;
}

/** Path of the innermost value that an offset in `JSON.stringify(value)` belongs to; a name belongs to its value. */
function pathAt(value: unknown, offset: number): Path {
  if (typeof value !== 'object' || value === null) return [];
  const isArray = Array.isArray(value);
  let start = 1;
  for (const [name, part] of Object.entries(value) as [string, unknown][]) {
    const labelled = start + (isArray ? 0 : JSON.stringify(name).length + 1);
    const end = labelled + JSON.stringify(part).length;
    if (offset >= start && offset < end)
      return [isArray ? Number(name) : name, ...pathAt(part, offset - labelled)];
    start = end + 1;
  }
  return [];
}
