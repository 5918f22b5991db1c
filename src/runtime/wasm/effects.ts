import type { BodyBuffer } from '../http/body.ts';
import type { HeaderBlock } from '../http/headers.ts';
import type { StreamContext } from './context.ts';
import { EFFECTS } from './limits.ts';
import type { LocalReply, StateValue, StreamHost } from './stream-host.ts';

const Kind = { Reply: 0, Resume: 1, Close: 2, ClearRouteCache: 3, SetState: 4 } as const;

/** One thing asked of a stream. Objects are kept and filled again. */
interface Effect {
  kind: number;
  /** The stream at the time of asking: its context may serve another by the time of applying. */
  stream: StreamHost | null;
  context: StreamContext | null;
  /** Stream type. */
  type: number;
  reply: LocalReply | null;
  key: string;
  value: StateValue | null;
}

/**
 * What a guest asked for during one call. Edits are made in the blocks and bodies themselves, each of
 * which keeps a checkpoint; all else is listed. Either all of it happens, after the call, or none.
 */
export class Effects {
  readonly #blocks: HeaderBlock[] = [];
  readonly #bodies: BodyBuffer[] = [];
  readonly #list: Effect[] = [];
  #blockCount = 0;
  #bodyCount = 0;
  #count = 0;

  /** Before the first edit of a block in this call. */
  touchBlock(block: HeaderBlock): void {
    for (let i = 0; i < this.#blockCount; i++) if (this.#blocks[i] === block) return;
    block.checkpoint();
    this.#blocks[this.#blockCount++] = block;
  }

  /** Before the first edit of a body in this call. */
  touchBody(body: BodyBuffer): void {
    for (let i = 0; i < this.#bodyCount; i++) if (this.#bodies[i] === body) return;
    body.checkpoint();
    this.#bodies[this.#bodyCount++] = body;
  }

  /** The first reply to a stream stands; a later one is dropped. */
  reply(context: StreamContext, reply: LocalReply): boolean {
    for (let i = 0; i < this.#count; i++) {
      const effect = this.#list[i]!;
      if (effect.kind === Kind.Reply && effect.stream === context.stream) return true;
    }
    const effect = this.#next(Kind.Reply, context);
    if (effect === null) return false;
    effect.reply = reply;
    return true;
  }

  resume(context: StreamContext, type: number): boolean {
    const effect = this.#next(Kind.Resume, context);
    if (effect === null) return false;
    effect.type = type;
    return true;
  }

  close(context: StreamContext, type: number): boolean {
    const effect = this.#next(Kind.Close, context);
    if (effect === null) return false;
    effect.type = type;
    return true;
  }

  clearRouteCache(context: StreamContext): boolean {
    return this.#next(Kind.ClearRouteCache, context) !== null;
  }

  setState(context: StreamContext, key: string, value: StateValue): boolean {
    const effect = this.#next(Kind.SetState, context);
    if (effect === null) return false;
    effect.key = key;
    effect.value = value;
    return true;
  }

  /** What this call has set already, for a guest that reads it back. */
  state(stream: StreamHost, key: string): StateValue | undefined {
    for (let i = this.#count - 1; i >= 0; i--) {
      const effect = this.#list[i]!;
      if (effect.kind === Kind.SetState && effect.stream === stream && effect.key === key)
        return effect.value!;
    }
    return undefined;
  }

  /** The same for all keys with a prefix, in the order of setting. */
  states(stream: StreamHost, prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#list
      .slice(0, this.#count)
      .filter(
        ({ kind, key, ...effect }) =>
          kind === Kind.SetState && effect.stream === stream && key.startsWith(prefix),
      )
      .map(({ key, value }) => [key.slice(prefix.length), value!] as const);
  }

  /** Keeps the edits. True where there is more for `apply` to do. */
  commit(): boolean {
    for (let i = 0; i < this.#blockCount; i++) this.#blocks[i]!.commit();
    for (let i = 0; i < this.#bodyCount; i++) this.#bodies[i]!.commit();
    this.#blockCount = 0;
    this.#bodyCount = 0;
    return this.#count !== 0;
  }

  rollback(): void {
    for (let i = 0; i < this.#blockCount; i++) this.#blocks[i]!.rollback();
    for (let i = 0; i < this.#bodyCount; i++) this.#bodies[i]!.rollback();
    this.#blockCount = 0;
    this.#bodyCount = 0;
    this.#clear();
  }

  /** Tells the streams, in the order of asking. A stream may call this plugin again meanwhile. */
  apply(): void {
    for (let i = 0; i < this.#count; i++) {
      const effect = this.#list[i]!;
      const context = effect.context!;
      const stream = effect.stream!;
      // Applying an earlier effect may have ended this stream.
      if (context.stream !== stream) continue;
      switch (effect.kind) {
        case Kind.Reply:
          stream.localReply(effect.reply!, context);
          break;
        case Kind.Resume:
          stream.resume(effect.type, context);
          break;
        case Kind.Close:
          stream.close(effect.type);
          break;
        case Kind.ClearRouteCache:
          stream.clearRouteCache();
          break;
        default:
          stream.setState(effect.key, effect.value!);
      }
    }
    this.#clear();
  }

  #next(kind: number, context: StreamContext): Effect | null {
    if (this.#count === EFFECTS) return null;
    let effect = this.#list[this.#count];
    if (effect === undefined) {
      effect = { kind, stream: null, context: null, type: 0, reply: null, key: '', value: null };
      this.#list.push(effect);
    }
    effect.kind = kind;
    effect.stream = context.stream;
    effect.context = context;
    this.#count++;
    return effect;
  }

  // Nothing of a finished stream may be kept alive from here.
  #clear(): void {
    for (let i = 0; i < this.#count; i++) {
      const effect = this.#list[i]!;
      effect.stream = null;
      effect.context = null;
      effect.reply = null;
      effect.value = null;
    }
    this.#count = 0;
  }
}
