// The callbacks that the host calls, and the allocator. A filter's entry file hands them on:
//
//     export * from '@weir/filters-sdk/assembly/exports';
//
// The compiler step of this package then takes out each callback that no class of the filter overrides.
import { BufferType } from './abi';
import { settleGrpcEnd, settleGrpcMessage, settleHttp, settleLimit } from './answers';
import { allocate, release } from './arena';
import { abort } from './abort';
import { buffer } from './body';
import { CallResponse, takeCall } from './calls';
import { addRoot, addStream, findRoot, findStream, removeRoot, removeStream } from './context-table';
import { RootContext, StreamContext } from './context';
import { proxy_set_effective_context } from './env';
import { Turn, dropFlows, enter } from './flow';
import { GrpcEnd, GrpcMessage, grpcOwner, takeGrpc } from './grpc';
import { decodeDecision } from './limit-decision';
import { decodeQuota } from './quota-decision';
import { setProperty } from './properties';
import { setRunningContext } from './running';
import { planTicks, wake } from './ticks';
import { WAITS } from './waits';

/** The bit of tickets whose answers are of passwords. */
const PASSWORD_TICKET: u32 = 0x4000_0000;

/** Never called: its name tells the host which ABI this is. */
export function proxy_abi_version_0_2_1(): void {}

/** Memory for what the host hands over in a callback; the SDK takes it back when the callback returns. */
export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

/** The same, under the name that older hosts look for. */
export function malloc(size: usize): usize {
  return allocate(size);
}

function unknown(id: u32): void {
  abort('unknown context', null, id, 0);
}

function stream(id: u32): StreamContext {
  const context = findStream(id);
  if (context === null) unknown(id);
  setRunningContext(id);
  return context!;
}

function root(id: u32): RootContext {
  const context = findRoot(id);
  if (context === null) unknown(id);
  setRunningContext(id);
  return context!;
}

export function proxy_on_context_create(id: u32, parent: u32): void {
  if (parent == 0) addRoot(id);
  else addStream(id, root(parent));
  release();
}

export function proxy_on_vm_start(id: u32, size: i32): i32 {
  const started = root(id).onStart(buffer(BufferType.VmConfiguration, size).copy());
  release();
  return started;
}

export function proxy_on_configure(id: u32, size: i32): i32 {
  const accepted = root(id).onConfigure(buffer(BufferType.PluginConfiguration, size).copy());
  release();
  return accepted;
}

export function proxy_on_request_headers(id: u32, count: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.RequestHeaders, count, endOfStream != 0)
    : stream(id).onRequestHeaders(count, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_request_body(id: u32, size: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.RequestBody, size, endOfStream != 0)
    : stream(id).onRequestBody(size, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_request_trailers(id: u32, count: i32): i32 {
  const action = WAITS ? enter(id, Turn.RequestTrailers, count, false) : stream(id).onRequestTrailers(count);
  release();
  return action;
}

export function proxy_on_response_headers(id: u32, count: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.ResponseHeaders, count, endOfStream != 0)
    : stream(id).onResponseHeaders(count, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_response_body(id: u32, size: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.ResponseBody, size, endOfStream != 0)
    : stream(id).onResponseBody(size, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_response_trailers(id: u32, count: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.ResponseTrailers, count, false)
    : stream(id).onResponseTrailers(count);
  release();
  return action;
}

export function proxy_on_new_connection(id: u32): i32 {
  const action = WAITS ? enter(id, Turn.NewConnection, 0, false) : stream(id).onNewConnection();
  release();
  return action;
}

export function proxy_on_downstream_data(id: u32, size: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.DownstreamData, size, endOfStream != 0)
    : stream(id).onDownstreamData(size, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_upstream_data(id: u32, size: i32, endOfStream: i32): i32 {
  const action = WAITS
    ? enter(id, Turn.UpstreamData, size, endOfStream != 0)
    : stream(id).onUpstreamData(size, endOfStream != 0);
  release();
  return action;
}

export function proxy_on_downstream_connection_close(id: u32, by: i32): void {
  stream(id).onDownstreamClose(by);
  release();
}

export function proxy_on_upstream_connection_close(id: u32, by: i32): void {
  stream(id).onUpstreamClose(by);
  release();
}

export function proxy_on_tick(id: u32): void {
  if (WAITS) tick(id);
  else root(id).onTick();
  release();
}

function tick(id: u32): void {
  setRunningContext(id);
  if (wake(id)) enter(id, Turn.Tick, 0, false);
  setRunningContext(id);
  proxy_set_effective_context(id);
  planTicks(id);
}

export function proxy_on_queue_ready(id: u32, queue: u32): void {
  root(id).onQueueReady(queue);
  release();
}

/** Calls belong to the root context; the SDK finds the stream that made the call, if it still lives. */
export function proxy_on_http_call_response(
  id: u32,
  token: u32,
  headers: i32,
  bodySize: i32,
  trailers: i32,
): void {
  // Two conditions: the compiler leaves out what is behind a constant alone.
  if (WAITS) {
    if (settleHttp(token, headers, bodySize, trailers)) return release();
  }
  const owner = takeCall(token);
  const response = CallResponse.of(token, headers, bodySize, trailers);
  if (owner == id || owner == 0) {
    root(id).onCallResponse(response);
  } else {
    const context = findStream(owner);
    if (context !== null && proxy_set_effective_context(owner) == 0) {
      setRunningContext(owner);
      context.onCallResponse(response);
    }
  }
  release();
}

/** The stream that made a call of the root context `id`; null where that made it, or the stream is over. */
function caller(id: u32, owner: u32): StreamContext | null {
  if (owner == id || owner == 0) return null;
  const context = findStream(owner);
  if (context === null || proxy_set_effective_context(owner) != 0) return null;
  setRunningContext(owner);
  return context;
}

export function proxy_on_grpc_receive_initial_metadata(id: u32, token: u32, count: i32): void {
  const owner = grpcOwner(token, false);
  const context = caller(id, owner);
  if (context !== null) context.onGrpcHead(token, count);
  else if (owner == id) root(id).onGrpcHead(token, count);
  release();
}

export function proxy_on_grpc_receive(id: u32, token: u32, size: i32): void {
  if (WAITS) {
    if (settleGrpcMessage(token, size)) return release();
  }
  const owner = grpcOwner(token, true);
  const message = GrpcMessage.of(token, size);
  const context = caller(id, owner);
  if (context !== null) context.onGrpcMessage(message);
  else if (owner == id) root(id).onGrpcMessage(message);
  release();
}

export function proxy_on_grpc_receive_trailing_metadata(id: u32, token: u32, count: i32): void {
  const owner = grpcOwner(token, false);
  const context = caller(id, owner);
  if (context !== null) context.onGrpcTrailers(token, count);
  else if (owner == id) root(id).onGrpcTrailers(token, count);
  release();
}

export function proxy_on_grpc_close(id: u32, token: u32, status: i32): void {
  if (WAITS) {
    if (settleGrpcEnd(token, status)) return release();
  }
  const owner = takeGrpc(token);
  const end = GrpcEnd.of(token, status);
  const context = caller(id, owner);
  if (context !== null) context.onGrpcEnd(end);
  else if (owner == id) root(id).onGrpcEnd(end);
  release();
}

export function proxy_on_foreign_function(id: u32, ticket: u32, size: i32): void {
  const context = findStream(id);
  // The highest bit of a ticket says that the answer is of a quota.
  if (context !== null && <i32>ticket < 0) {
    setRunningContext(id);
    context.onQuotaDecision(decodeQuota(buffer(BufferType.CallData, size)));
  } else if (context !== null && (ticket & PASSWORD_TICKET) != 0) {
    setRunningContext(id);
    context.onPasswordVerified(buffer(BufferType.CallData, size).at(0) == 1);
  } else if (context !== null) {
    setRunningContext(id);
    const decision = decodeDecision(buffer(BufferType.CallData, size), ticket);
    let settled = false;
    if (WAITS) settled = settleLimit(ticket, decision);
    if (!settled) context.onLimitDecision(decision);
  }
  release();
}

export function weir_on_explain(id: u32): void {
  setProperty('explanation', stream(id).onExplain());
  release();
}

export function proxy_on_done(id: u32): i32 {
  const context = findStream(id);
  let done = true;
  if (context === null) {
    done = root(id).onDone();
  } else {
    setRunningContext(id);
    context.onDone();
  }
  release();
  return done;
}

export function proxy_on_log(id: u32): void {
  const context = findStream(id);
  if (context !== null) {
    setRunningContext(id);
    context.onLog();
  }
  release();
}

export function proxy_on_delete(id: u32): void {
  setRunningContext(id);
  if (WAITS) dropFlows(id);
  if (!removeStream(id)) removeRoot(id);
  release();
}
