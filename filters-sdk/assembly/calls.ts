import { BufferType, MapType, Status } from './abi';
import { allocate, out } from './arena';
import { buffer } from './body';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { proxy_get_status, proxy_http_call } from './env';
import { HeaderMap } from './headers';
import { PairsWriter } from './pairs';
import { runningContext } from './running';

/**
 * The answer to an HTTP call, or the news that there is none. Valid until the callback returns.
 */
@unmanaged
export class CallResponse {
  /** What `httpCall` answered. */
  token: u32;
  /** Fields in the answer's head. 0: the call failed, and there is neither head nor body. */
  headerCount: i32;
  bodySize: i32;
  trailerCount: i32;

  /** The SDK's. */
  static of(token: u32, headerCount: i32, bodySize: i32, trailerCount: i32): CallResponse {
    const response = changetype<CallResponse>(allocate(offsetof<CallResponse>()));
    response.token = token;
    response.headerCount = headerCount;
    response.bodySize = bodySize;
    response.trailerCount = trailerCount;
    return response;
  }

  get failed(): bool {
    return this.headerCount == 0;
  }

  /** 0 where the call failed. A time that ran out is 504, an upstream without endpoints 503. */
  get status(): i32 {
    if (this.failed) return 0;
    const status = this.headers.get(':status');
    return status === null ? 0 : <i32>status.toUnsigned();
  }

  get headers(): HeaderMap {
    return changetype<HeaderMap>(<usize>MapType.HttpCallResponseHeaders + 1);
  }

  get trailers(): HeaderMap {
    return changetype<HeaderMap>(<usize>MapType.HttpCallResponseTrailers + 1);
  }

  get body(): Bytes {
    return buffer(BufferType.HttpCallResponseBody, this.bodySize);
  }

  /** Why a call failed, in the host's words. */
  get reason(): Bytes {
    return reason();
  }
}

/** What the host says of the call whose callback runs. */
export function reason(): Bytes {
  if (proxy_get_status(out + 8, out, out + 4) != Status.Ok) return Bytes.of(0, 0);
  return Bytes.of(load<usize>(out), load<i32>(out, 4));
}

/** Calls under way: (token, context) each. Few at a time, so they are looked through. */
let calls: usize = 0;
let callCount: i32 = 0;
let callCapacity: i32 = 0;

/**
 * Sends a request to an upstream that the configuration names for this filter. The answer comes to
 * `onCallResponse` of the context that called, if it still lives.
 *
 * @param headers must hold `:method`, `:path` and `:authority`
 * @returns a token, or 0 where the call cannot be made (unknown upstream, missing headers; the log says)
 */
export function httpCall<U, B>(upstream: U, headers: PairsWriter, body: B, timeoutMs: u32): u32 {
  if (isString<U>()) {
    return httpCall<Bytes, B>(encode(changetype<string>(upstream)), headers, body, timeoutMs);
  }
  if (isString<B>()) {
    return httpCall<U, Bytes>(upstream, headers, encode(changetype<string>(body)), timeoutMs);
  }
  const fields = headers.view();
  const status = proxy_http_call(
    startOf<U>(upstream),
    sizeOf<U>(upstream),
    fields.start,
    fields.length,
    startOf<B>(body),
    sizeOf<B>(body),
    0,
    0,
    timeoutMs,
    out,
  );
  if (status != Status.Ok) return 0;
  const token = load<u32>(out);
  if (callCount == callCapacity) {
    const old = calls;
    callCapacity = max(8, 2 * callCapacity);
    calls = heap.alloc(8 * callCapacity);
    memory.copy(calls, old, 8 * callCount);
    if (old != 0) heap.free(old);
  }
  const at = calls + 8 * callCount++;
  store<u32>(at, token);
  store<u32>(at, runningContext(), 4);
  return token;
}

/** Forgets a call; answers whose it was, 0 where it is not known. */
export function takeCall(token: u32): u32 {
  for (let i = 0; i < callCount; i++) {
    const at = calls + 8 * i;
    if (load<u32>(at) != token) continue;
    const owner = load<u32>(at, 4);
    // The last one takes its place.
    store<u64>(at, load<u64>(calls + 8 * --callCount));
    return owner;
  }
  return 0;
}
