// The test plugin with weir's own SDK; what each role does is in ../README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  LogLevel,
  RootContext,
  StreamContext,
  log,
  registerQueue,
  registerRoot,
  setTickPeriod,
} from '@weir/filters-sdk/assembly';
import { Body, Scan } from './body';
import { Auth, Dispatches } from './callouts';
import { Headers, Replies, Trailers, Typical } from './headers';
import { Clock, Configuration, Foreign, Logs, Properties } from './host';
import { Counting, Metrics, Queue, Shared, Waiting, resumeWaiting, takeJobs } from './state';

class Root extends RootContext {
  private role: string = '';
  private configuration: string = '';
  private vm: string = '';
  private queue: u32 = 0;
  private metrics: Metrics | null = null;

  onStart(configuration: ArrayBuffer): bool {
    this.vm = String.UTF8.decode(configuration);
    return true;
  }

  onConfigure(configuration: ArrayBuffer): bool {
    this.configuration = String.UTF8.decode(configuration);
    this.role = this.configuration.split(' ')[0];
    if (this.role == 'tick') setTickPeriod(20);
    if (this.role == 'metrics') this.metrics = new Metrics();
    if (this.role == 'queue') this.queue = registerQueue('jobs');
    if (this.role != 'refuse') return true;
    log(LogLevel.Error, 'refused as asked');
    return false;
  }

  onTick(): void {
    resumeWaiting();
  }

  onQueueReady(queue: u32): void {
    takeJobs(queue);
  }

  createStream(): StreamContext {
    const role = this.role;
    if (role == 'headers') return new Headers();
    if (role == 'typical') return new Typical();
    if (role == 'reply') return new Replies();
    if (role == 'trailers') return new Trailers();
    if (role == 'body') return new Body();
    if (role == 'scan') return new Scan();
    if (role == 'auth') return new Auth();
    if (role == 'dispatches') return new Dispatches();
    if (role == 'tick') return new Waiting();
    if (role == 'metrics') return new Counting(this.metrics!);
    if (role == 'shared') return new Shared();
    if (role == 'queue') return new Queue(this.queue);
    if (role == 'properties') return new Properties();
    if (role == 'logs') return new Logs();
    if (role == 'foreign') return new Foreign();
    if (role == 'clock') return new Clock();
    return new Configuration(this.configuration, this.vm);
  }
}

registerRoot(new Root());
