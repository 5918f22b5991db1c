/** The host's number for the context whose callback runs. */
let running: u32 = 0;

export function runningContext(): u32 {
  return running;
}

export function setRunningContext(id: u32): void {
  running = id;
}
