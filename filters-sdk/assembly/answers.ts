// Answers that callbacks wait for. They are the module's own objects: they may be kept as long as one likes.
import { BufferType, MapType } from './abi';
import { out } from './arena';
import { buffer } from './body';
import { Bytes, view } from './bytes';
import { reason, takeCall } from './calls';
import { proxy_get_header_map_pairs } from './env';
import { GrpcStatus, takeGrpc } from './grpc';
import { LimitDecision, LimitState } from './limit-decision';
import { Pairs } from './pairs';
import { Waitable } from './waitable';

function fieldsOf(map: MapType, count: i32): ArrayBuffer | null {
  if (count == 0 || proxy_get_header_map_pairs(map, out, out + 4) != 0) return null;
  return Bytes.of(load<usize>(out), load<i32>(out, 4)).copy();
}

function pairsOf(fields: ArrayBuffer | null): Pairs {
  return fields === null ? Pairs.read(0, 0) : Pairs.read(changetype<usize>(fields), fields.byteLength);
}

function viewOf(bytes: ArrayBuffer | null): Bytes {
  return bytes === null ? Bytes.of(0, 0) : view(bytes);
}

function find<N>(fields: ArrayBuffer | null, name: N): Bytes | null {
  const pairs = pairsOf(fields);
  return pairs.nextNamed<N>(name) ? pairs.value : null;
}

/** The answer to an HTTP call, or the news that there is none. */
export class HttpAnswer extends Waitable {
  /** 0: the call failed, or could not be made. A time that ran out is 504, an upstream without endpoints 503. */
  status: i32 = 0;
  private head: ArrayBuffer | null = null;
  private content: ArrayBuffer | null = null;
  private end: ArrayBuffer | null = null;
  private why: ArrayBuffer | null = null;

  /** There is neither head nor body. */
  get failed(): bool {
    return this.head === null;
  }

  /** The first value of a field, or null. */
  header<N>(name: N): Bytes | null {
    return find<N>(this.head, name);
  }

  /** All fields of the head. */
  get headers(): Pairs {
    return pairsOf(this.head);
  }

  get body(): Bytes {
    return viewOf(this.content);
  }

  /** The first value of a trailer, or null. */
  trailer<N>(name: N): Bytes | null {
    return find<N>(this.end, name);
  }

  /** Why a call failed, in the host's words. */
  get reason(): Bytes {
    return viewOf(this.why);
  }

  /** The SDK's. */
  take(headers: i32, bodySize: i32, trailers: i32): void {
    this.head = fieldsOf(MapType.HttpCallResponseHeaders, headers);
    if (bodySize > 0) this.content = buffer(BufferType.HttpCallResponseBody, bodySize).copy();
    this.end = fieldsOf(MapType.HttpCallResponseTrailers, trailers);
    if (headers == 0) this.why = reason().copy();
    const status = this.header(':status');
    if (status !== null) this.status = <i32>status.toUnsigned();
  }
}

/** The answer to a unary gRPC call. */
export class GrpcAnswer extends Waitable {
  /** Of the call. Unavailable where it could not be made. */
  status: GrpcStatus = GrpcStatus.Unavailable;
  private content: ArrayBuffer | null = null;
  private why: ArrayBuffer | null = null;

  get failed(): bool {
    return this.status != GrpcStatus.Ok;
  }

  /** The message; empty where the call failed. */
  get body(): Bytes {
    return viewOf(this.content);
  }

  /** What the server says of a call that failed, or the host where there was no server. */
  get reason(): Bytes {
    return viewOf(this.why);
  }

  /** The SDK's. */
  succeed(size: i32): void {
    this.status = GrpcStatus.Ok;
    this.content = buffer(BufferType.GrpcReceiveBuffer, size).copy();
  }

  /** The SDK's. */
  fail(status: i32): void {
    this.status = status;
    this.why = reason().copy();
  }
}

/** What a limit says of a request. */
export class LimitAnswer extends Waitable {
  state: LimitState = LimitState.Unavailable;
  /** Requests that would be allowed right now. */
  remaining: u32 = 0;
  /** The most that `remaining` can be. */
  limit: u32 = 0;
  /** Milliseconds until `remaining` is `limit` again, if nothing more comes. */
  resetMs: u32 = 0;
  /** Milliseconds until a request that was denied would be allowed; 0 where it was allowed. */
  retryAfterMs: u32 = 0;

  get allowed(): bool {
    return this.state == LimitState.Allowed;
  }

  /** The SDK's. */
  take(decision: LimitDecision): void {
    this.state = decision.allowed ? LimitState.Allowed : LimitState.Denied;
    this.remaining = decision.remaining;
    this.limit = decision.limit;
    this.resetMs = decision.resetMs;
    this.retryAfterMs = decision.retryAfterMs;
  }
}

/** What is under way, by the host's numbers. Lazy: a module where nothing waits has none of it. */
class Expected {
  @lazy static calls: Map<u32, HttpAnswer> | null = null;
  @lazy static grpcCalls: Map<u32, GrpcAnswer> | null = null;
  @lazy static tickets: Map<u32, LimitAnswer> | null = null;
}

function put<A>(answers: Map<u32, A> | null, number: u32, answer: A): Map<u32, A> {
  const map = answers === null ? new Map<u32, A>() : answers;
  map.set(number, answer);
  return map;
}

/** Takes an answer out; null where nobody waits for this one. */
function remove<A>(answers: Map<u32, A> | null, number: u32): A | null {
  if (answers === null || !answers.has(number)) return null;
  const answer = answers.get(number);
  answers.delete(number);
  return answer;
}

/** @param token of `httpCall`, which then knows nothing of it; 0: it could not be made */
export function expectHttp(token: u32): HttpAnswer {
  const answer = new HttpAnswer();
  if (token == 0) answer.settled = true;
  else Expected.calls = put<HttpAnswer>(Expected.calls, token, answer);
  takeCall(token);
  return answer;
}

/** @param token of `grpcCall`, likewise */
export function expectGrpc(token: u32): GrpcAnswer {
  const answer = new GrpcAnswer();
  if (token == 0) answer.settled = true;
  else Expected.grpcCalls = put<GrpcAnswer>(Expected.grpcCalls, token, answer);
  takeGrpc(token);
  return answer;
}

export function expectLimit(ticket: u32): LimitAnswer {
  const answer = new LimitAnswer();
  Expected.tickets = put<LimitAnswer>(Expected.tickets, ticket, answer);
  return answer;
}

/** The host has an answer. False: nobody waits for this one. */
export function settleHttp(token: u32, headers: i32, bodySize: i32, trailers: i32): bool {
  const answer = remove<HttpAnswer>(Expected.calls, token);
  if (answer === null) return false;
  answer.take(headers, bodySize, trailers);
  answer.settle();
  return true;
}

export function settleGrpcMessage(token: u32, size: i32): bool {
  const answer = remove<GrpcAnswer>(Expected.grpcCalls, token);
  if (answer === null) return false;
  answer.succeed(size);
  answer.settle();
  return true;
}

export function settleGrpcEnd(token: u32, status: i32): bool {
  const answer = remove<GrpcAnswer>(Expected.grpcCalls, token);
  if (answer === null) return false;
  answer.fail(status);
  answer.settle();
  return true;
}

export function settleLimit(ticket: u32, decision: LimitDecision): bool {
  const answer = remove<LimitAnswer>(Expected.tickets, ticket);
  if (answer === null) return false;
  answer.take(decision);
  answer.settle();
  return true;
}
