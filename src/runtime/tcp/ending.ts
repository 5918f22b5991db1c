/** How a TCP stream lets go of its connections. */
export const Ending = {
  /** What was sent arrives first. */
  Flush: 0,
  /** At once. */
  Cut: 1,
  /** At once, and so that nobody takes what has arrived for all of it. */
  Reset: 2,
} as const;
export type Ending = (typeof Ending)[keyof typeof Ending];
