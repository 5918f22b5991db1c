/** Time that is to come. Test kits have one that goes on when they say so. Both return what takes the job back. */
export interface Timers {
  after(ms: number, job: () => void): () => void;
  every(ms: number, job: () => void): () => void;
}

/** Those of the process, which they do not keep alive. */
export const PROCESS_TIMERS: Timers = {
  after(ms, job) {
    const timer = setTimeout(job, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(ms, job) {
    const timer = setInterval(job, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
