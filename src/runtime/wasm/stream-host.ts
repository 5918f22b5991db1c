import type { BodyBuffer } from '../http/body.ts';
import type { HeaderBlock } from '../http/headers.ts';
import type { StreamContext } from './context.ts';

/** Of a map or a message. */
export type AttributeFields = ReadonlyArray<readonly [name: string, value: AttributeValue]>;

/** What an attribute may be before it is encoded for a guest. */
export type AttributeValue =
  /** Bytes where they are text as the wire had it, which need not be UTF-8. */
  | { readonly type: 'string'; readonly value: string | Uint8Array }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'address'; readonly host: string; readonly port: number }
  /** Times and durations in nanoseconds, times since 1970. */
  | { readonly type: 'int' | 'uint' | 'time' | 'duration'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'map'; readonly value: AttributeFields }
  | { readonly type: 'list'; readonly value: readonly AttributeValue[] }
  /** `request` and its like: parts of it can be asked for, all of it cannot. */
  | { readonly type: 'group' }
  /** A protobuf message: `encode` makes its bytes, its fields can be asked for one by one. */
  | { readonly type: 'message'; readonly value: AttributeFields; encode(): Uint8Array };

/**
 * What a filter keeps for others under a key of Envoy's filter state: `wasm.` and a property's path, or
 * a key that weir itself knows.
 */
export interface StateValue {
  readonly bytes: Uint8Array;
  readonly type: StateType;
  /** Set once; nobody may set it again. */
  readonly readOnly: boolean;
  /** Kept for the later streams of the connection, too. */
  readonly ofConnection: boolean;
}

/** How a property that a plugin has declared is read by expressions (`declare_property`). */
export type StateType = 'bytes' | 'string' | 'flatbuffers' | 'protobuf';

/** A reply that a filter makes in place of the upstream's (`proxy_send_local_response`). */
export interface LocalReply {
  readonly status: number;
  /** Shown as `response.code_details`; white space already replaced by `_`. */
  readonly details: string;
  readonly body: Uint8Array;
  /** Names lower-case, checked; no pseudo-headers, no framing fields. */
  readonly headers: ReadonlyArray<readonly [name: Uint8Array, value: Uint8Array]>;
  /** 0 to 16, or -1 where none was given. */
  readonly grpcStatus: number;
}

/**
 * What a stream offers to host calls. The runtime's `Stream` and the test kit implement it; the
 * Proxy-Wasm host knows streams by nothing else. Everything here is committed: the host stages
 * the effects of a callback and calls these when the guest has returned without a trap.
 */
export interface StreamHost {
  /** Decides which callbacks, buffers and stream types it has; a TCP stream has no maps and takes no local reply. */
  readonly protocol: 'http' | 'tcp';
  /** Milliseconds that guests have spent on it; the host of guests counts, the stream begins with 0. */
  guestMs: number;
  /** The map of `MapType` 0 to 3, or null where this phase does not have it. */
  headerMap(type: number): HeaderBlock | null;
  /** Trailers (`MapType` 1 or 3) for a message without any, where `context` sees or keeps its last bytes; else null. */
  addTrailers(type: number, context: StreamContext): HeaderBlock | null;
  /** Whether the map's message has not been released yet. */
  mayWriteMap(type: number): boolean;
  /**
   * The body (`BufferType` 0 or 1), or the data of a TCP stream (2 or 3), that `context` sees: in a callback
   * for it the bytes of that callback, while it is paused the bytes that it holds; null where there are none now.
   * Called with the types of this protocol only.
   */
  body(type: number, context: StreamContext): BodyBuffer | null;
  /** What is built in. Path segments joined by one NUL, no trailing NUL. Undefined: not there. */
  attribute(path: string): AttributeValue | undefined;
  state(key: string): StateValue | undefined;
  /** Everything under keys with this prefix, the prefix left out. */
  states(prefix: string): ReadonlyArray<readonly [rest: string, value: StateValue]>;
  /** False where there are too many. */
  setState(key: string, value: StateValue): boolean;
  clearRouteCache(): void;
  /** `proxy_continue_stream`, with a `StreamType` of this protocol. May come before the callback's own Pause. */
  resume(type: number, context: StreamContext): void;
  /** `proxy_close_stream`, with a `StreamType` of this protocol: resets an HTTP stream, closes a TCP stream. */
  close(type: number): void;
  localReply(reply: LocalReply, context: StreamContext): void;
  /** An asynchronous callback of this context trapped: apply its `onError` wherever it waits. */
  contextFailed(context: StreamContext): void;
}
