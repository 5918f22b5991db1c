import { Flow, resumeFlow } from './flow';

/** What a callback can wait for: `wait` of `./wait`. It may be kept, and waited for in a later callback. */
export abstract class Waitable {
  /** It is there, or will never be. */
  settled: bool = false;
  /** The callback that waits for it; the SDK's. */
  waiter: Flow | null = null;

  /** At the end of a callback of the host; the SDK's. */
  settle(): void {
    this.settled = true;
    const flow = this.waiter;
    this.waiter = null;
    if (flow !== null) resumeFlow(flow);
  }
}
