import { type HeaderBlock, MessageKind, Pseudo } from './http/headers.ts';
import type { HeaderModifier } from './snapshot.ts';

/** A HeaderModifier with its names and values encoded once. */
export class CompiledHeaderModifier {
  readonly #remove: readonly Buffer[];
  /** Names and values, alternating. */
  readonly #set: readonly Buffer[];
  readonly #add: readonly Buffer[];
  /** `host` is not a field of a request block: setting it sets :authority. */
  readonly #host: Buffer | null;

  constructor(spec: HeaderModifier) {
    this.#remove = spec.remove.map((name) => Buffer.from(name, 'latin1'));
    this.#set = encodePairs(spec.set);
    this.#add = encodePairs(spec.add);
    const host = [...spec.set, ...spec.add].find(([name]) => isHost(name));
    this.#host = host === undefined ? null : Buffer.from(host[1], 'utf8');
  }

  /** Applies remove, then set, then add. Allocates nothing beyond what the block needs to grow. */
  apply(block: HeaderBlock): void {
    for (let i = 0; i < this.#remove.length; i++) block.removeAll(this.#remove[i]!);
    const set = this.#set;
    for (let i = 0; i < set.length; i += 2) {
      const name = set[i]!;
      const value = set[i + 1]!;
      block.replace(name, 0, name.length, value, 0, value.length);
    }
    const add = this.#add;
    for (let i = 0; i < add.length; i += 2) {
      const name = add[i]!;
      const value = add[i + 1]!;
      block.append(name, 0, name.length, value, 0, value.length);
    }
    const host = this.#host;
    if (host !== null && block.kind === MessageKind.Request)
      block.setValue(Pseudo.Authority, host, 0, host.length);
  }
}

/** Null where there is nothing to do, so that the hot path tests one reference. */
export function compileHeaderModifier(spec: HeaderModifier | null): CompiledHeaderModifier | null {
  if (spec === null) return null;
  if (spec.remove.length + spec.set.length + spec.add.length === 0) return null;
  return new CompiledHeaderModifier(spec);
}

function encodePairs(pairs: HeaderModifier['set']): readonly Buffer[] {
  return pairs
    .filter(([name]) => !isHost(name))
    .flatMap(([name, value]) => [Buffer.from(name, 'latin1'), Buffer.from(value, 'utf8')]);
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host';
}
