import type { HeaderBlock } from '../http/headers.ts';
import { copyWords } from '../http/words.ts';
import { Status } from './abi.ts';
import { ContextTable, type Context } from './context-table.ts';
import { Effects } from './effects.ts';
import { linkImports } from './host-calls.ts';
import { PendingLimits } from './limit-claim.ts';
import { Meter } from './meter/meter.ts';
import { REPLIED, TRAPPED } from './outcome.ts';
import type { InstanceGroup } from './instance-group.ts';
import type { Plugin } from './plugin.ts';
import type { RootContext } from './root.ts';
import { InstanceQuotas } from './quota-functions.ts';
import type { StreamHost } from './stream-host.ts';
import type { Witness } from './tap/witness.ts';

/** What the guest is doing, which decides what it may call. */
export const Stage = {
  Idle: 0,
  /** Start function: logs and WASI only. */
  Start: 1,
  /** The guest's allocator, called from within a host call: logs and WASI only. */
  Allocate: 2,
  Callback: 3,
} as const;

/** An exported function; arguments that it does not declare are dropped by the engine. */
export type GuestFunction = (a: number, b?: number, c?: number, d?: number, e?: number) => number;

/** The guest broke a rule of the ABI, or ended itself: handled as a trap. */
export class GuestFault extends Error {
  /** Exit code, where the guest called `proc_exit`; else -1. */
  readonly exitCode: number;

  constructor(message: string, exitCode = -1) {
    super(message);
    this.name = 'GuestFault';
    this.exitCode = exitCode;
  }
}

/** Callbacks that the instance exports, null where it does not. */
export interface Callbacks {
  readonly contextCreate: GuestFunction | null;
  readonly vmStart: GuestFunction | null;
  readonly configure: GuestFunction | null;
  readonly done: GuestFunction | null;
  readonly log: GuestFunction | null;
  readonly delete: GuestFunction | null;
  readonly requestHeaders: GuestFunction | null;
  readonly requestBody: GuestFunction | null;
  readonly requestTrailers: GuestFunction | null;
  readonly responseHeaders: GuestFunction | null;
  readonly responseBody: GuestFunction | null;
  readonly responseTrailers: GuestFunction | null;
  readonly newConnection: GuestFunction | null;
  readonly downstreamData: GuestFunction | null;
  readonly upstreamData: GuestFunction | null;
  readonly downstreamClose: GuestFunction | null;
  readonly upstreamClose: GuestFunction | null;
  readonly tick: GuestFunction | null;
  readonly httpCallResponse: GuestFunction | null;
  readonly grpcInitialMetadata: GuestFunction | null;
  readonly grpcReceive: GuestFunction | null;
  readonly grpcTrailingMetadata: GuestFunction | null;
  readonly grpcClose: GuestFunction | null;
  readonly queueReady: GuestFunction | null;
  readonly foreignFunction: GuestFunction | null;
  readonly explain: GuestFunction | null;
}

const NO_MEMORY = new Uint8Array(0);
const NO_WORDS = new DataView(NO_MEMORY.buffer);
/** Longest run that a loop over bytes, or over words, copies faster than `set(subarray())`. */
const BYTE_LOOP = 40;
const WORD_LOOP = 192;
/** A copy up to here is within the price of the call. */
const FREE_BYTES = 4096;

/**
 * One instance of a module. Host calls are made once, with it, and find the running context in its
 * fields. It is never entered while the guest is on the stack, and after a trap never again.
 */
export class Vm {
  readonly group: InstanceGroup;
  readonly contexts = new ContextTable();
  /** Of each plugin that it serves. */
  readonly roots = new Set<RootContext>();
  callbacks!: Callbacks;
  /** Of the effective context, or of the one before; of the plugin that starts while there is none. */
  plugin: Plugin;
  root!: RootContext;

  stage: number = Stage.Idle;
  /** Whose callback runs. */
  running: Context | null = null;
  /** Whom host calls act on: the running context, or what `proxy_set_effective_context` named. */
  effective: Context | null = null;
  /** The effective context's stream; null for a root context. */
  stream: StreamHost | null = null;
  /** The running context's stream got a local reply in this call. */
  replied = false;
  /** The maps are shown, not changed: the stream is over. */
  readOnly = false;
  dead = false;
  effects = new Effects();
  /** What the guest wrote last at error level: the reason of most traps stands there. */
  lastWords = '';
  /** Why it is dead; empty while it is not. */
  trapReason = '';
  /** Contexts of streams that it serves, those included that the guest does not know yet. */
  streams = 0;
  /** Streams that it was given, where they are counted. */
  taken = 0;
  startedAt = 0;
  readonly pendingLimits = new PendingLimits();
  readonly quotas = new InstanceQuotas(this);
  /** Of the guest's work; `meter.used` is the fuel that the last callback took. */
  readonly meter: Meter;
  /** Set before the start, where somebody looks on. */
  witness: Witness | null = null;

  #lastCall = 0;
  #spare: Effects | null = null;
  #fault: GuestFault | null = null;
  #memory: WebAssembly.Memory | null = null;
  #bytes: Uint8Array = NO_MEMORY;
  /** The same memory: unaligned words cost a quarter of their bytes one by one. */
  #words: DataView = NO_WORDS;
  #allocator!: GuestFunction;

  /** @param plugin whose lines its start writes */
  constructor(group: InstanceGroup, plugin: Plugin) {
    this.group = group;
    this.plugin = plugin;
    this.meter = new Meter(group.module.cpu);
  }

  /** What a guest knows an HTTP or gRPC call by: SDKs keep those of all plugins of an instance in one table. */
  nextCall(): number {
    this.#lastCall = this.#lastCall === 0x7fff_ffff ? 1 : this.#lastCall + 1;
    return this.#lastCall;
  }

  rootOf(plugin: Plugin): RootContext | null {
    for (const root of this.roots) if (root.plugin === plugin) return root;
    return null;
  }

  /**
   * Instantiates and runs the start function.
   *
   * @throws whatever the guest's start throws; the instance is of no use then
   */
  start(): void {
    const { code, allocator, meter } = this.group.module;
    this.stage = Stage.Start;
    const { witness } = this;
    const own = linkImports(this);
    const { exports } = new WebAssembly.Instance(code, witness === null ? own : witness.imports(own));
    this.#memory = exports.memory as WebAssembly.Memory;
    this.group.host.deps.instantiated?.(this.group.module, exports);
    this.meter.attach(exports, meter);
    const find = (name: string): GuestFunction | null => (exports[name] as GuestFunction | undefined) ?? null;
    this.#allocator = find(allocator)!;
    this.callbacks = callbacksOf(find);
    find(`${meter}start`)?.(0);
    if (find('_initialize') !== null) {
      find('_initialize')!(0);
      (find('main') ?? find('__main_void'))?.(0, 0);
    } else {
      this.#runCommand(find('_start'));
    }
    if (this.#fault !== null) throw this.#fault;
    this.view();
    if (witness !== null) this.callbacks = witness.callbacks(this.callbacks);
    this.stage = Stage.Idle;
  }

  // A command ends by proc_exit; its exports are called afterwards all the same.
  #runCommand(start: GuestFunction | null): void {
    try {
      start?.(0);
    } catch (error) {
      if (!(error instanceof GuestFault) || error.exitCode !== 0) throw error;
      this.#fault = null;
    }
  }

  get heapBytes(): number {
    return this.#memory === null ? 0 : this.#memory.buffer.byteLength;
  }

  /** Guest memory as it is now. Growing it detaches the older view, whose length is then 0. */
  view(): Uint8Array {
    return this.#bytes.length !== 0 ? this.#bytes : this.#renew();
  }

  #renew(): Uint8Array {
    if (this.#memory !== null) {
      this.#bytes = new Uint8Array(this.#memory.buffer);
      this.#words = new DataView(this.#memory.buffer);
      const tooMuch = this.group.host.heap.resize(this, this.#bytes.length);
      if (tooMuch && this.stage !== Stage.Idle) this.fail("the worker's memory for filters is used up");
    }
    return this.#bytes;
  }

  /** The same as words. */
  words(): DataView {
    if (this.#bytes.length === 0) this.#renew();
    return this.#words;
  }

  /** Guest memory, for a host call that may not be made from start functions and allocators. */
  memory(): Uint8Array {
    if (this.stage !== Stage.Callback) this.forbid();
    return this.#bytes.length !== 0 ? this.#bytes : this.#renew();
  }

  /** A host call begins. @param group of `HostGroup` */
  count(group: number): void {
    this.plugin.usage.hostCalls[group]!++;
  }

  forbid(): void {
    if (this.stage === Stage.Callback) return;
    this.fail(
      `a host call that needs a context, made from the ${this.stage === Stage.Start ? 'start function' : 'allocator'}`,
    );
  }

  /** Unwinds the guest. What it asked for in this call is discarded, even where it catches the exception. */
  fail(message: string, exitCode = -1): never {
    this.#fault = new GuestFault(message, exitCode);
    throw this.#fault;
  }

  /**
   * Asks the guest for memory. Views taken earlier may be stale afterwards.
   *
   * @param size at least 1: the allocators of some SDKs trap on 0
   * @returns 0 where the guest has none; a range outside its memory is a fault
   */
  allocate(size: number): number {
    const stage = this.stage;
    this.stage = Stage.Allocate;
    const at = this.#allocator(size) >>> 0;
    this.stage = stage;
    if (at !== 0 && at + size > this.view().length)
      this.fail('the allocator returned memory that does not exist');
    return at;
  }

  /** Hands the guest a copy of bytes in a block of its own. The out pointers have been checked. */
  give(source: Uint8Array, start: number, end: number, outData: number, outSize: number): Status {
    const size = end - start;
    let at = 0;
    if (size !== 0) {
      at = this.allocate(size);
      if (at === 0) return Status.InvalidMemoryAccess;
    }
    const memory = this.view();
    if (size <= BYTE_LOOP) for (let i = 0; i < size; i++) memory[at + i] = source[start + i]!;
    else {
      memory.set(source.subarray(start, end), at);
      if (size > FREE_BYTES) this.meter.chargeBytes(size);
    }
    this.answer(outData, at);
    this.answer(outSize, size);
    return Status.Ok;
  }

  /** `give` for the value of a field: what guests ask for most. */
  giveValue(block: HeaderBlock, field: number, outData: number, outSize: number): Status {
    const start = block.spans[4 * field + 2]!;
    const end = block.spans[4 * field + 3]!;
    const size = end - start;
    if (size === 0 || size > WORD_LOOP) return this.give(block.bytes, start, end, outData, outSize);
    const at = this.allocate(size);
    if (at === 0) return Status.InvalidMemoryAccess;
    const words = this.#words;
    copyWords(block.words, start, words, at, size);
    words.setUint32(outData, at, true);
    words.setUint32(outSize, size, true);
    return Status.Ok;
  }

  /** Writes a u32 to a place that has been checked. */
  answer(at: number, value: number): void {
    this.words().setUint32(at, value, true);
  }

  /**
   * Calls the guest for a context and keeps or discards what it asked for.
   *
   * @returns the guest's result as unsigned, or `TRAPPED`, or `REPLIED`
   */
  call(context: Context, callback: GuestFunction, name: string, b: number, c: number, d = 0, e = 0): number {
    if (this.stage !== Stage.Idle) throw new Error(`${name}: the guest is on the stack already`);
    this.stage = Stage.Callback;
    this.running = context;
    this.act(context);
    this.replied = false;
    const { meter } = this;
    // The time of a connection has no end, that of a request does.
    const account = this.stream !== null && this.stream.protocol === 'http' ? this.stream : null;
    meter.begin(account);
    let result: number;
    try {
      result = callback(context.id, b, c, d, e) >>> 0;
    } catch (error) {
      meter.end(account);
      this.#spent(context, name);
      return this.#trap(error, name);
    }
    meter.end(account);
    this.#spent(context, name);
    if (this.#fault !== null) return this.#trap(this.#fault, name);
    const replied = this.replied;
    this.stage = Stage.Idle;
    this.running = null;
    this.effective = null;
    this.stream = null;
    if (this.effects.commit()) this.#apply();
    return replied ? REPLIED : result;
  }

  /** What a call cost: by plugin, and for callbacks that are no part of a stream by callback. */
  #spent(context: Context, name: string): void {
    const { used } = this.meter;
    context.plugin.usage.fuel += used;
    if (context.stream === null) context.plugin.host.spent?.(context.plugin, name, used);
  }

  /** Host calls are for this context from here on. */
  act(context: Context): void {
    this.effective = context;
    this.stream = context.stream;
    this.root = context.root;
    this.plugin = context.plugin;
  }

  // A stream that is told may call this instance again, so the list being told is put aside.
  #apply(): void {
    const effects = this.effects;
    this.effects = this.#spare ?? new Effects();
    this.#spare = null;
    effects.apply();
    this.#spare = effects;
  }

  #trap(error: unknown, name: string): number {
    this.effects.rollback();
    this.stage = Stage.Idle;
    this.running = null;
    this.effective = null;
    this.stream = null;
    this.dead = true;
    this.group.trapped(this, name, this.meter.explain(error, name));
    return TRAPPED;
  }
}

function callbacksOf(find: (name: string) => GuestFunction | null): Callbacks {
  return {
    contextCreate: find('proxy_on_context_create'),
    vmStart: find('proxy_on_vm_start'),
    configure: find('proxy_on_configure'),
    done: find('proxy_on_done'),
    log: find('proxy_on_log'),
    delete: find('proxy_on_delete'),
    requestHeaders: find('proxy_on_request_headers'),
    requestBody: find('proxy_on_request_body'),
    requestTrailers: find('proxy_on_request_trailers'),
    responseHeaders: find('proxy_on_response_headers'),
    responseBody: find('proxy_on_response_body'),
    responseTrailers: find('proxy_on_response_trailers'),
    newConnection: find('proxy_on_new_connection'),
    downstreamData: find('proxy_on_downstream_data'),
    upstreamData: find('proxy_on_upstream_data'),
    downstreamClose: find('proxy_on_downstream_connection_close'),
    upstreamClose: find('proxy_on_upstream_connection_close'),
    tick: find('proxy_on_tick'),
    httpCallResponse: find('proxy_on_http_call_response'),
    grpcInitialMetadata: find('proxy_on_grpc_receive_initial_metadata'),
    grpcReceive: find('proxy_on_grpc_receive'),
    // AssemblyScript's first SDK, and those made from it, export it under a name of their own.
    grpcTrailingMetadata:
      find('proxy_on_grpc_receive_trailing_metadata') ?? find('proxy_on_grpc_trailing_metadata'),
    grpcClose: find('proxy_on_grpc_close'),
    queueReady: find('proxy_on_queue_ready'),
    foreignFunction: find('proxy_on_foreign_function'),
    explain: find('weir_on_explain'),
  };
}
