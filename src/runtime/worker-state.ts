import { AccessLog, DescriptorSink } from './access-log.ts';
import type { Connection } from './connection.ts';
import type { LiveSnapshot } from './live-snapshot.ts';
import type { Metrics } from './metrics.ts';
import { RuntimeMetrics } from './runtime-metrics.ts';
import type { StreamWatch } from './stream-observer.ts';
import { Stream } from './stream.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What a logger of the runtime has to offer; pino's has it. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Streams that are kept for the next request. */
const SPARE_STREAMS = 1024;

/** What all connections and streams of one worker share. */
export class WorkerState {
  readonly wheel: TimerWheel;
  readonly metrics: Metrics;
  /** Slots of the worker's own metrics. */
  readonly own: RuntimeMetrics;
  readonly log: Log;
  /** The snapshot in force; a stream reads it once, when it begins. */
  live!: LiveSnapshot;
  /** Too busy for keep-alive and new streams. */
  shedding = false;
  activeStreams = 0;
  /** Null: nobody looks on at streams. */
  watch: StreamWatch | null = null;
  readonly #spare: Stream[] = [];
  readonly #logs = new Map<'stdout' | 'stderr', AccessLog>();

  constructor(wheel: TimerWheel, metrics: Metrics, log: Log) {
    this.wheel = wheel;
    this.metrics = metrics;
    this.own = new RuntimeMetrics(metrics);
    this.log = log;
  }

  acquire(): Stream {
    this.activeStreams++;
    return this.#spare.pop() ?? new Stream(this);
  }

  release(stream: Stream): void {
    this.activeStreams--;
    if (this.#spare.length < SPARE_STREAMS) this.#spare.push(stream);
  }

  /** A head that could not be read: counted, and logged without what was wrong about its bytes. */
  recordRefusal(connection: Connection, status: number, reason: string): void {
    this.metrics.inc(this.own.downstreamRequestsRefused);
    this.log.debug({ client: connection.remoteText, status, reason }, 'refused a request head');
  }

  accessLog(path: 'stdout' | 'stderr'): AccessLog {
    let log = this.#logs.get(path);
    if (log === undefined) {
      log = new AccessLog(new DescriptorSink(path === 'stdout' ? 1 : 2));
      this.#logs.set(path, log);
    }
    return log;
  }

  /** Lines of the access log that were dropped. */
  get linesDropped(): number {
    return [...this.#logs.values()].reduce((sum, log) => sum + log.dropped, 0);
  }

  flushLogs(): void {
    for (const log of this.#logs.values()) log.close();
  }
}
