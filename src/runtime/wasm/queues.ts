import type { RootContext } from './root.ts';
import type { SharedState } from './shared.ts';

/** Which root contexts of this worker are told of items in shared queues: of each queue, the last that registered. */
export class QueueConsumers {
  readonly #shared: SharedState;
  readonly #byQueue = new Map<number, RootContext[]>();

  constructor(shared: SharedState) {
    this.#shared = shared;
    // When no guest is on the stack.
    shared.onReady = (id) => void setImmediate(() => this.#byQueue.get(id)?.at(-1)?.onQueueReady(id));
  }

  /** Creates the queue, or takes it over. Returns 0 where there are too many. */
  register(root: RootContext, name: string): number {
    const id = this.#shared.register(root.plugin.space, name);
    if (id === 0) return 0;
    const roots = (this.#byQueue.get(id) ?? []).filter((other) => other !== root);
    roots.push(root);
    this.#byQueue.set(id, roots);
    return id;
  }

  /** The root context is gone. Where another one is left it is told from here on, here or in another worker. */
  remove(root: RootContext): void {
    for (const [id, roots] of this.#byQueue) {
      const at = roots.indexOf(root);
      if (at < 0) continue;
      roots.splice(at, 1);
      if (roots.length > 0) continue;
      this.#byQueue.delete(id);
      this.#shared.unregister(id);
    }
  }
}
