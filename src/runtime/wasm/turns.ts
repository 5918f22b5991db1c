/** The longest that one turn keeps the thread to itself. */
const TURN_MS = 4;

/** Runs work that comes in steps, a few milliseconds at a time: this may be a worker's thread. */
export async function inTurns<Result>(steps: Iterator<unknown, Result>): Promise<Result> {
  let since = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < TURN_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  }
}
