import { BufferType, Status } from './abi';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { proxy_get_buffer_bytes, proxy_set_buffer_bytes } from './env';

/**
 * The body of one message, or the data of one side of a TCP stream, as far as the running callback sees it: the chunk that came, or after a pause
 * everything that was kept. `content-length` is corrected by weir; for other hosts remove it in the header
 * callback of a filter that changes the length.
 */
@unmanaged
export class Body {
  // As in HeaderMap: the reference holds the buffer's number, plus one.
  private get type(): i32 {
    return <i32>changetype<usize>(this) - 1;
  }

  /** A copy of at most `size` bytes from `from` on; empty where there is nothing. */
  read(from: i32 = 0, size: i32 = i32.MAX_VALUE): Bytes {
    const status = proxy_get_buffer_bytes(this.type, from, min(size, i32.MAX_VALUE - from), out, out + 4);
    if (status != Status.Ok) return Bytes.of(0, 0);
    return Bytes.of(load<usize>(out), load<i32>(out, 4));
  }

  /** Puts `data` in the place of `size` bytes at `from`. False where there is no body to change now. */
  splice<T>(from: i32, size: i32, data: T): bool {
    if (isString<T>()) return this.splice<Bytes>(from, size, encode(changetype<string>(data)));
    return proxy_set_buffer_bytes(this.type, from, size, startOf<T>(data), sizeOf<T>(data)) == Status.Ok;
  }

  replace<T>(data: T): bool {
    return this.splice<T>(0, i32.MAX_VALUE, data);
  }

  prepend<T>(data: T): bool {
    return this.splice<T>(0, 0, data);
  }

  append<T>(data: T): bool {
    return this.splice<T>(i32.MAX_VALUE, 0, data);
  }
}

/** In `onRequestBody`. */
export const requestBody = changetype<Body>(<usize>BufferType.RequestBody + 1);
/** In `onResponseBody`. */
export const responseBody = changetype<Body>(<usize>BufferType.ResponseBody + 1);

/** Of a TCP stream: what the client sent, in `onDownstreamData`. */
export const downstreamData = changetype<Body>(<usize>BufferType.DownstreamData + 1);
/** What the upstream sent, in `onUpstreamData`. */
export const upstreamData = changetype<Body>(<usize>BufferType.UpstreamData + 1);

/** A buffer that is handed over whole: configurations, a callout's body, arguments. */
export function buffer(type: BufferType, size: i32): Bytes {
  return changetype<Body>(<usize>type + 1).read(0, size);
}
