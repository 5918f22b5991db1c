import { BufferType, MapType, Status } from './abi';
import { allocate, out } from './arena';
import { buffer } from './body';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { reason } from './calls';
import {
  proxy_grpc_call,
  proxy_grpc_cancel,
  proxy_grpc_close,
  proxy_grpc_send,
  proxy_grpc_stream,
} from './env';
import { HeaderMap } from './headers';
import { PairsWriter } from './pairs';
import { runningContext } from './running';

/** How a call ended. */
export enum GrpcStatus {
  Ok = 0,
  Cancelled = 1,
  Unknown = 2,
  InvalidArgument = 3,
  DeadlineExceeded = 4,
  NotFound = 5,
  AlreadyExists = 6,
  PermissionDenied = 7,
  ResourceExhausted = 8,
  FailedPrecondition = 9,
  Aborted = 10,
  OutOfRange = 11,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
  DataLoss = 15,
  Unauthenticated = 16,
}

/** A message of a call. Valid until the callback returns. */
@unmanaged
export class GrpcMessage {
  /** What `grpcCall` or `grpcStream` answered. */
  token: u32;
  size: i32;

  /** The SDK's. */
  static of(token: u32, size: i32): GrpcMessage {
    const message = changetype<GrpcMessage>(allocate(offsetof<GrpcMessage>()));
    message.token = token;
    message.size = size;
    return message;
  }

  /** Protobuf, or whatever the service speaks. */
  get body(): Bytes {
    return buffer(BufferType.GrpcReceiveBuffer, this.size);
  }
}

/** The end of a call. Valid until the callback returns. */
@unmanaged
export class GrpcEnd {
  token: u32;
  status: GrpcStatus;

  /** The SDK's. */
  static of(token: u32, status: i32): GrpcEnd {
    const end = changetype<GrpcEnd>(allocate(offsetof<GrpcEnd>()));
    end.token = token;
    end.status = status;
    return end;
  }

  /** What the server says of it, or the host where there was no server. */
  get message(): Bytes {
    return reason();
  }
}

/** In `onGrpcHead`; in weir also where a unary call ends. Elsewhere there are no fields. */
export const grpcHead = changetype<HeaderMap>(<usize>MapType.GrpcInitialMetadata + 1);
/** In `onGrpcTrailers`; in weir also where a unary call ends. */
export const grpcTrailers = changetype<HeaderMap>(<usize>MapType.GrpcTrailingMetadata + 1);

/** Calls under way: (token, context, whether it is a stream) each. Few at a time, so they are looked through. */
let calls: usize = 0;
let callCount: i32 = 0;
let callCapacity: i32 = 0;
const ENTRY = 12;

function remember(status: i32, stream: bool): u32 {
  if (status != Status.Ok) return 0;
  const token = load<u32>(out);
  if (callCount == callCapacity) {
    const old = calls;
    callCapacity = max(8, 2 * callCapacity);
    calls = heap.alloc(ENTRY * callCapacity);
    memory.copy(calls, old, ENTRY * callCount);
    if (old != 0) heap.free(old);
  }
  const at = calls + ENTRY * callCount++;
  store<u32>(at, token);
  store<u32>(at, runningContext(), 4);
  store<u32>(at, stream, 8);
  return token;
}

function find(token: u32): usize {
  for (let i = 0; i < callCount; i++) if (load<u32>(calls + ENTRY * i) == token) return calls + ENTRY * i;
  return 0;
}

function forget(at: usize): void {
  // The last one takes its place.
  memory.copy(at, calls + ENTRY * --callCount, ENTRY);
}

/** Whose call it is, 0 where it is not known. For the SDK. @param last a unary call is over with its message */
export function grpcOwner(token: u32, last: bool): u32 {
  const at = find(token);
  if (at == 0) return 0;
  const owner = load<u32>(at, 4);
  if (last && load<u32>(at, 8) == 0) forget(at);
  return owner;
}

/** The same, for the end of any call. For the SDK. */
export function takeGrpc(token: u32): u32 {
  const at = find(token);
  if (at == 0) return 0;
  const owner = load<u32>(at, 4);
  forget(at);
  return owner;
}

/**
 * Calls a method with one message, for one message: that comes to `onGrpcMessage` of the context that called, if it
 * still lives, or how the call failed to `onGrpcEnd`.
 *
 * @param upstream one that the configuration names for this filter
 * @param metadata null: none. Values of names in `-bin` are any bytes; those that come back are base64
 * @param timeoutMs 0: as long as the host allows
 * @returns a token, or 0 where the call cannot be made (the log says why)
 */
export function grpcCall<U, S, M, B>(
  upstream: U,
  service: S,
  method: M,
  metadata: PairsWriter | null,
  message: B,
  timeoutMs: u32,
): u32 {
  if (isString<U>())
    return grpcCall<Bytes, S, M, B>(
      encode(changetype<string>(upstream)),
      service,
      method,
      metadata,
      message,
      timeoutMs,
    );
  if (isString<S>())
    return grpcCall<U, Bytes, M, B>(
      upstream,
      encode(changetype<string>(service)),
      method,
      metadata,
      message,
      timeoutMs,
    );
  if (isString<M>())
    return grpcCall<U, S, Bytes, B>(
      upstream,
      service,
      encode(changetype<string>(method)),
      metadata,
      message,
      timeoutMs,
    );
  if (isString<B>())
    return grpcCall<U, S, M, Bytes>(
      upstream,
      service,
      method,
      metadata,
      encode(changetype<string>(message)),
      timeoutMs,
    );
  const fields = metadata === null ? Bytes.of(0, 0) : metadata.view();
  const status = proxy_grpc_call(
    startOf<U>(upstream),
    sizeOf<U>(upstream),
    startOf<S>(service),
    sizeOf<S>(service),
    startOf<M>(method),
    sizeOf<M>(method),
    fields.start,
    fields.length,
    startOf<B>(message),
    sizeOf<B>(message),
    timeoutMs,
    out,
  );
  return remember(status, false);
}

/**
 * Opens a stream in both directions. What comes is told to the context that opened it: `onGrpcHead`, `onGrpcMessage`
 * for each message, `onGrpcTrailers`, `onGrpcEnd`.
 *
 * @returns a token, or 0 where it cannot be opened (the log says why)
 */
export function grpcStream<U, S, M>(upstream: U, service: S, method: M, metadata: PairsWriter | null): u32 {
  if (isString<U>())
    return grpcStream<Bytes, S, M>(encode(changetype<string>(upstream)), service, method, metadata);
  if (isString<S>())
    return grpcStream<U, Bytes, M>(upstream, encode(changetype<string>(service)), method, metadata);
  if (isString<M>())
    return grpcStream<U, S, Bytes>(upstream, service, encode(changetype<string>(method)), metadata);
  const fields = metadata === null ? Bytes.of(0, 0) : metadata.view();
  const status = proxy_grpc_stream(
    startOf<U>(upstream),
    sizeOf<U>(upstream),
    startOf<S>(service),
    sizeOf<S>(service),
    startOf<M>(method),
    sizeOf<M>(method),
    fields.start,
    fields.length,
    out,
  );
  return remember(status, true);
}

/**
 * Sends a message on a stream.
 *
 * @param last no message comes after it
 * @returns false where the stream has ended, or the server does not take so much so fast
 */
export function grpcSend<B>(token: u32, message: B, last: bool = false): bool {
  if (isString<B>()) return grpcSend<Bytes>(token, encode(changetype<string>(message)), last);
  return proxy_grpc_send(token, startOf<B>(message), sizeOf<B>(message), last) == Status.Ok;
}

/** No message is sent on the stream any more; what the server sends still comes. */
export function grpcClose(token: u32): bool {
  return proxy_grpc_close(token) == Status.Ok;
}

/** Gives a call up: nothing comes for it any more. */
export function grpcCancel(token: u32): bool {
  const at = find(token);
  if (at != 0) forget(at);
  return proxy_grpc_cancel(token) == Status.Ok;
}
