// Callbacks that wait. `pauseFlow` takes the running callback off the stack of WebAssembly (the compiler step puts
// Binaryen's Asyncify into what may wait, and into nothing else), the host is told to pause, and the callback is put
// back and goes on when what it waits for is there. What it had in hand is kept meanwhile: its locals, what stands
// on the collector's stack, and the views of the host's values.
import { Action, StreamType } from './abi';
import { abort } from './abort';
import { dropHeldArena, heldArenaSize, holdArena, out, putBackArena, release } from './arena';
import { start_rewind, start_unwind, stop_rewind, stop_unwind } from './asyncify';
import { findRoot, findStream } from './context-table';
import { proxy_continue_stream, proxy_get_buffer_status, proxy_set_effective_context } from './env';
import { hasReplied, setRunningContext } from './running';

/** Callbacks that may wait. */
export enum Turn {
  RequestHeaders,
  RequestBody,
  RequestTrailers,
  ResponseHeaders,
  ResponseBody,
  ResponseTrailers,
  NewConnection,
  DownstreamData,
  UpstreamData,
  Tick,
}

/** What waits apart from each other: the directions of a stream by their numbers, and a root context's ticks. */
const TICKS = 4;

/** A callback that waits. Made when it waits for the first time: one that never does costs nothing. */
export class Flow {
  // Lazy: else a module where nothing waits would have it, with the classes it refers to.
  /** Those that wait, by the context; the collector finds them here. */
  @lazy static waiting: Map<u32, Flow> | null = null;
  @lazy static running: Flow | null = null;

  /** Of the same context, in another direction. */
  next: Flow | null = null;
  /** The host's memory of the callback: its arena, then what Asyncify wrote. 0: it runs, or has ended. */
  saved: usize = 0;
  unwound: u32 = 0;
  /** The objects on the collector's stack, for the collector to find. */
  objects: StaticArray<Flow | null> | null = null;
  /** Callbacks that came meanwhile for the same direction; they follow when this one is over. */
  bodyCame: bool = false;
  bodyEnded: bool = false;
  trailersCame: i32 = -1;

  constructor(
    readonly id: u32,
    readonly turn: Turn,
  ) {}
}

/** For locals of waiting callbacks: some tens of bytes for each function between the callback and `wait`. */
const LOCALS_SIZE: usize = 8192;
/** Two addresses for Asyncify, where it writes and where that ends, and the place itself. */
const control = memory.data(8200, 8);

function firstOf(id: u32): Flow | null {
  const flows = Flow.waiting;
  return flows !== null && flows.has(id) ? flows.get(id) : null;
}

function setFirst(id: u32, flow: Flow | null): void {
  let flows = Flow.waiting;
  if (flows === null) {
    flows = new Map<u32, Flow>();
    Flow.waiting = flows;
  }
  if (flow === null) flows.delete(id);
  else flows.set(id, flow);
}

/** What runs: set where a callback that may wait is entered. */
let runningId: u32 = 0;
let runningTurn: i32 = -1;
/** The collector's stack where the running callback began to wait. */
let stackTop: usize = 0;
let pausing = false;
let rewinding = false;

function laneOf(turn: Turn): i32 {
  if (turn <= Turn.RequestTrailers) return StreamType.Request;
  if (turn <= Turn.ResponseTrailers) return StreamType.Response;
  if (turn <= Turn.DownstreamData) return StreamType.Downstream;
  return turn == Turn.UpstreamData ? StreamType.Upstream : TICKS;
}

function find(id: u32, lane: i32): Flow | null {
  let flow = firstOf(id);
  while (flow !== null && laneOf(flow.turn) != lane) flow = flow.next;
  return flow;
}

/** Calls a callback that may wait. For the host: it pauses while the callback waits. */
export function enter(id: u32, turn: Turn, size: i32, endOfStream: bool): Action {
  const before = find(id, laneOf(turn));
  if (before !== null) {
    miss(before, turn, size, endOfStream);
    return Action.Pause;
  }
  Flow.running = null;
  setRunningContext(id);
  return run(id, turn, size, endOfStream);
}

function miss(flow: Flow, turn: Turn, count: i32, endOfStream: bool): void {
  if (turn == Turn.RequestTrailers || turn == Turn.ResponseTrailers) {
    flow.trailersCame = count;
    return;
  }
  // A tick that finds the one before still waiting is left out.
  flow.bodyCame = turn != Turn.Tick;
  flow.bodyEnded = endOfStream;
}

/** The only place where a callback leaves the stack and returns to it: Asyncify leaves this function as it is. */
function run(id: u32, turn: Turn, size: i32, endOfStream: bool): Action {
  runningId = id;
  runningTurn = turn;
  const base = __stack_pointer;
  if (rewinding) {
    // The frames of the callback's functions do not come back by themselves: nothing but calls runs again.
    __stack_pointer = base - stackSize();
    putBack();
    start_rewind(control);
  }
  const action = dispatch(id, turn, size, endOfStream);
  runningTurn = -1;
  if (!pausing) return action;
  pausing = false;
  stop_unwind();
  takeAway(base - stackTop);
  __stack_pointer = base;
  return Action.Pause;
}

function dispatch(id: u32, turn: Turn, size: i32, endOfStream: bool): Action {
  if (turn == Turn.Tick) {
    findRoot(id)!.onTick();
    return Action.Continue;
  }
  const context = findStream(id)!;
  switch (turn) {
    case Turn.RequestHeaders:
      return context.onRequestHeaders(size, endOfStream);
    case Turn.RequestBody:
      return context.onRequestBody(size, endOfStream);
    case Turn.RequestTrailers:
      return context.onRequestTrailers(size);
    case Turn.ResponseHeaders:
      return context.onResponseHeaders(size, endOfStream);
    case Turn.ResponseBody:
      return context.onResponseBody(size, endOfStream);
    case Turn.ResponseTrailers:
      return context.onResponseTrailers(size);
    case Turn.NewConnection:
      return context.onNewConnection();
    case Turn.DownstreamData:
      return context.onDownstreamData(size, endOfStream);
    default:
      return context.onUpstreamData(size, endOfStream);
  }
}

/** The running callback as something that can wait. */
export function runningFlow(): Flow {
  if (runningTurn < 0) abort('wait: this callback cannot wait', null, 0, 0);
  let flow = Flow.running;
  if (flow === null) {
    flow = new Flow(runningId, runningTurn);
    Flow.running = flow;
    flow.next = firstOf(runningId);
    setFirst(runningId, flow);
  }
  return flow;
}

/** Returns when somebody has called {@link resumeFlow} for the running callback; see `run`. */
export function pauseFlow(): void {
  if (rewinding) {
    rewinding = false;
    stop_rewind();
    return;
  }
  stackTop = __stack_pointer;
  pausing = true;
  store<usize>(control, control + 8);
  store<usize>(control, control + 8 + LOCALS_SIZE, 4);
  start_unwind(control);
}

/** What the running callback has in hand, out of the way of other callbacks. */
function takeAway(stackBytes: usize): void {
  const flow = Flow.running!;
  const unwound = load<usize>(control) - (control + 8);
  const arena = heldArenaSize();
  const saved = heap.alloc(arena + unwound);
  memory.copy(saved + arena, control + 8, unwound);
  holdArena(saved);
  flow.saved = saved;
  flow.unwound = <u32>unwound;
  const objects = changetype<StaticArray<Flow | null>>(__new(stackBytes, idof<StaticArray<Flow | null>>()));
  memory.copy(changetype<usize>(objects), stackTop, stackBytes);
  flow.objects = objects;
  Flow.running = null;
}

function stackSize(): usize {
  return (<usize>Flow.running!.objects!.length) << alignof<usize>();
}

/** The other way round. The collector's stack has room for the callback's frames already. */
function putBack(): void {
  const flow = Flow.running!;
  const saved = flow.saved;
  memory.copy(control + 8, saved + putBackArena(saved), flow.unwound);
  store<usize>(control, control + 8 + flow.unwound);
  store<usize>(control, control + 8 + LOCALS_SIZE, 4);
  const objects = flow.objects!;
  memory.copy(__stack_pointer, changetype<usize>(objects), (<usize>objects.length) << alignof<usize>());
  heap.free(saved);
  flow.saved = 0;
  flow.objects = null;
}

/** Lets a callback go on that waits: at the end of a callback of the host, with that one's values released. */
export function resumeFlow(flow: Flow): void {
  if (flow.saved == 0) return;
  const id = flow.id;
  // The host has ended the stream, and tells of it later.
  if (proxy_set_effective_context(id) != 0) return;
  setRunningContext(id);
  release();
  Flow.running = flow;
  rewinding = true;
  const action = run(id, flow.turn, 0, false);
  if (flow.saved != 0) return;
  remove(flow);
  follow(flow, action);
}

/** What came while a callback waited, and then the message goes on if the last of them says so. */
function follow(flow: Flow, action: Action): void {
  const id = flow.id;
  const turn = flow.turn;
  if (turn == Turn.Tick || hasReplied(id)) return;
  const lane = laneOf(turn);
  if (flow.bodyCame) {
    release();
    const size = bufferSize(lane);
    action = enter(id, bodyTurn(lane), size, flow.bodyEnded);
    const again = find(id, lane);
    if (again !== null) {
      again.trailersCame = flow.trailersCame;
      return;
    }
    if (hasReplied(id)) return;
  }
  if (flow.trailersCame >= 0) {
    release();
    const trailers = lane == StreamType.Request ? Turn.RequestTrailers : Turn.ResponseTrailers;
    action = enter(id, trailers, flow.trailersCame, true);
  }
  if (action == Action.Continue) proxy_continue_stream(lane);
}

function bodyTurn(lane: i32): Turn {
  if (lane == StreamType.Request) return Turn.RequestBody;
  if (lane == StreamType.Response) return Turn.ResponseBody;
  return lane == StreamType.Downstream ? Turn.DownstreamData : Turn.UpstreamData;
}

/** Bytes that the host holds in a direction: buffers have the numbers of their directions. */
function bufferSize(lane: i32): i32 {
  return proxy_get_buffer_status(lane, out, out + 4) == 0 ? load<i32>(out) : 0;
}

function remove(flow: Flow): void {
  let before = firstOf(flow.id)!;
  if (before === flow) return setFirst(flow.id, flow.next);
  while (before.next !== flow) before = before.next!;
  before.next = flow.next;
}

/** The context is over: what waits in it is given up. */
export function dropFlows(id: u32): void {
  let flow = firstOf(id);
  if (flow === null) return;
  while (flow !== null) {
    if (flow.saved != 0) {
      dropHeldArena(flow.saved);
      heap.free(flow.saved);
      flow.saved = 0;
      flow.objects = null;
    }
    flow = flow.next;
  }
  setFirst(id, null);
}
