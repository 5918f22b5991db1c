// The test plugin with weir's own SDK; what each role does is in ../README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CallResponse,
  LogLevel,
  PairsWriter,
  RootContext,
  StreamContext,
  finishRoot,
  httpCall,
  log,
  logInfo,
  registerQueue,
  registerRoot,
  setTickPeriod,
} from '@weir/filters-sdk/assembly';
import { GrpcEnd, GrpcMessage } from '@weir/filters-sdk/assembly/grpc';
import { Declared, Messages, Signatures, State } from './beyond';
import { Body, Scan } from './body';
import { Callbacks } from './callbacks';
import { Auth, Dispatches } from './callouts';
import { Grpc, GrpcChat, RootChat } from './grpc';
import { Headers, Replies, Trailers, Typical } from './headers';
import { Clock, Configuration, Foreign, Logs, Properties } from './host';
import { Counters } from './kept';
import { Counting, Metrics, Queue, Shared, Waiting, resumeWaiting, takeJobs } from './state';
import { HeldTcp, Tcp } from './tcp';
import { Text, TextSettings } from './text';
import { Waits } from './waits';

class Root extends RootContext {
  private role: string = '';
  private configuration: string = '';
  private vm: string = '';
  private queue: u32 = 0;
  private metrics: Metrics | null = null;
  private declared: Declared | null = null;
  private readonly text: TextSettings = new TextSettings();
  private readonly chat: RootChat = new RootChat();
  private lastCall: u32 = 0;

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
    if (this.role == 'state') this.declared = new Declared();
    if (this.role == 'text') return this.text.read(configuration.slice(5));
    if (this.role != 'refuse') return true;
    log(LogLevel.Error, 'refused as asked');
    return false;
  }

  onTick(): void {
    if (this.role == 'root') {
      setTickPeriod(0);
      this.chat.begin();
    } else resumeWaiting();
  }

  onGrpcHead(token: u32, count: i32): void {
    this.chat.onHead(token, count);
  }

  onGrpcMessage(message: GrpcMessage): void {
    this.chat.onMessage(message);
  }

  onGrpcTrailers(token: u32, count: i32): void {
    this.chat.onTrailers(token, count);
  }

  onGrpcEnd(end: GrpcEnd): void {
    this.chat.onEnd(end);
  }

  /** The role `root` tells `authz` that it ends, and ends when that has answered. */
  onDone(): bool {
    if (this.role != 'root') return true;
    const head = new PairsWriter().add(':method', 'GET').add(':path', '/end').add(':authority', 'authz');
    this.lastCall = httpCall('authz', head, '', 2000);
    return this.lastCall == 0;
  }

  onCallResponse(response: CallResponse): void {
    if (response.token != this.lastCall) return;
    logInfo('root is done ' + response.headerCount.toString() + ' ' + response.bodySize.toString());
    finishRoot();
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
    if (role == 'grpc') return new Grpc();
    if (role == 'grpc-stream') return new GrpcChat();
    if (role == 'tcp') return new Tcp();
    if (role == 'tcp-held') return new HeldTcp();
    if (role == 'root') return new Asking();
    if (role == 'waits') return new Waits();
    if (role == 'callbacks') return new Callbacks();
    if (role == 'counters') return new Counters();
    if (role == 'state') return new State(this.declared!);
    if (role == 'signatures') return new Signatures(this.configuration.split(' ')[1]);
    if (role == 'messages') return new Messages();
    if (role == 'text') return new Text(this.text);
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

/** Has its root context talk. */
class Asking extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    setTickPeriod(1);
    return Action.Continue;
  }
}

registerRoot(new Root());
