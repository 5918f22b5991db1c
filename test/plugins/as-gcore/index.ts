// The test plugin with the AssemblyScript SDK of G-Core; what each role does is in ../README.md.
export * from '@gcoredev/proxy-wasm-sdk-as/assembly/proxy';
import {
  Context,
  RootContext,
  registerRootContext,
  register_shared_queue,
  set_tick_period_milliseconds,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import { Body, Scan } from './body';
import { Auth, Dispatches } from './callouts';
import { Headers, Replies, Trailers, Typical } from './headers';
import { Clock, Configuration, Foreign, Logs, Properties } from './host';
import { Tcp } from './tcp';
import { Counting, Queue, Shared, Waiting, defineMetrics, resumeWaiting, takeJobs } from './state';
import { ERROR, logLine, vmConfiguration } from './support';

class Root extends RootContext {
  private role: string = '';
  private vm: string = '';
  private queue: u32 = 0;

  onStart(size: usize): bool {
    this.vm = vmConfiguration(<u32>size);
    return true;
  }

  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    this.role = this.getConfiguration().split(' ')[0];
    if (this.role == 'tick') set_tick_period_milliseconds(20);
    if (this.role == 'metrics') defineMetrics();
    if (this.role == 'queue') this.queue = register_shared_queue('jobs').token;
    if (this.role != 'refuse') return true;
    logLine(ERROR, 'refused as asked');
    return false;
  }

  onTick(): void {
    resumeWaiting();
  }

  onQueueReady(queue: u32): void {
    takeJobs(queue);
  }

  createContext(id: u32): Context {
    const role = this.role;
    if (role == 'headers') return new Headers(id, this);
    if (role == 'typical') return new Typical(id, this);
    if (role == 'reply') return new Replies(id, this);
    if (role == 'trailers') return new Trailers(id, this);
    if (role == 'body') return new Body(id, this);
    if (role == 'scan') return new Scan(id, this);
    if (role == 'auth') return new Auth(id, this);
    if (role == 'dispatches') return new Dispatches(id, this);
    if (role == 'tcp') return new Tcp(id, this);
    if (role == 'tick') return new Waiting(id, this);
    if (role == 'metrics') return new Counting(id, this);
    if (role == 'shared') return new Shared(id, this);
    if (role == 'queue') return new Queue(id, this, this.queue);
    if (role == 'properties') return new Properties(id, this);
    if (role == 'logs') return new Logs(id, this);
    if (role == 'foreign') return new Foreign(id, this);
    if (role == 'clock') return new Clock(id, this);
    return new Configuration(id, this, this.getConfiguration(), this.vm);
  }
}

registerRootContext((id: u32) => new Root(id), 'plugin');
