/** The host's number for the context whose callback runs. */
let running: u32 = 0;

export function runningContext(): u32 {
  return running;
}

export function setRunningContext(id: u32): void {
  running = id;
}

/** The context that last answered in the place of the upstream; kept where callbacks wait. */
let replied: u32 = 0;

export function noteReply(): void {
  replied = running;
}

export function hasReplied(id: u32): bool {
  return replied == id;
}
