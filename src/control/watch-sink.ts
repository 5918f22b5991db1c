/** Where the lines of a tap, or of what explains requests, go. */
export interface WatchSink {
  /** Resolves when the reader has taken them. */
  write(lines: string): Promise<void>;
  /** Aborted when the reader is gone. */
  readonly signal: AbortSignal;
}
