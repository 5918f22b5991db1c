import { QUEUES, QUEUE_BYTES, QUEUE_ITEMS } from './limits.ts';

/** Who is told of an item: the root context that registered the queue last. */
export interface QueueConsumer {
  onQueueReady(queueId: number): void;
}

interface Queue {
  readonly id: number;
  readonly items: Uint8Array[];
  bytes: number;
  consumer: QueueConsumer;
}

/** The shared queues of one worker process, found by the VM id of their owner and their name. */
export class SharedQueues {
  readonly #byName = new Map<string, Queue>();
  readonly #byId: Queue[] = [];

  /** Creates the queue, or takes it over. Returns 0 where there are too many. */
  register(vmId: string, name: string, consumer: QueueConsumer): number {
    const key = `${vmId}\0${name}`;
    let queue = this.#byName.get(key);
    if (queue === undefined) {
      if (this.#byId.length >= QUEUES) return 0;
      queue = { id: this.#byId.length + 1, items: [], bytes: 0, consumer };
      this.#byName.set(key, queue);
      this.#byId.push(queue);
    }
    queue.consumer = consumer;
    return queue.id;
  }

  /** 0 where no such queue was registered. */
  resolve(vmId: string, name: string): number {
    return this.#byName.get(`${vmId}\0${name}`)?.id ?? 0;
  }

  has(id: number): boolean {
    return this.#byId[id - 1] !== undefined;
  }

  /** Keeps the item and tells the consumer when no guest is on the stack. False where the queue is full. */
  enqueue(id: number, item: Uint8Array): boolean {
    const queue = this.#byId[id - 1]!;
    if (queue.items.length >= QUEUE_ITEMS || queue.bytes + item.length > QUEUE_BYTES) return false;
    queue.items.push(item);
    queue.bytes += item.length;
    setImmediate(() => queue.consumer.onQueueReady(id));
    return true;
  }

  dequeue(id: number): Uint8Array | undefined {
    const queue = this.#byId[id - 1]!;
    const item = queue.items.shift();
    if (item !== undefined) queue.bytes -= item.length;
    return item;
  }
}
