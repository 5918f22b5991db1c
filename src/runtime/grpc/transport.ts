import type { HeaderBlock } from '../http/headers.ts';
import type { GrpcStatus } from './status.ts';

export interface GrpcRequest {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Empty: the name that the certificate is for, else the upstream's. */
  readonly authority: string;
  /** Checked names and values as on the wire (`-bin` in base64), without pseudo-headers; kept until the call is over. */
  readonly metadata: HeaderBlock;
  /** Milliseconds for the whole call, which the server is told; 0: none. */
  readonly timeoutMs: number;
  /** Milliseconds without a message in either direction after which the call fails; 0: none. */
  readonly idleMs: number;
}

/**
 * Takes what comes of a call: initial metadata once or not at all, messages, trailing metadata once or not at all,
 * then the end. Never called from within `open`, `send`, `end` or `cancel`.
 */
export interface GrpcSink {
  /** The head of the answer, `:status` included; empty where the server sent its status alone. */
  onInitialMetadata(metadata: HeaderBlock): void;
  /** @param message the sink's to keep */
  onMessage(message: Uint8Array): void;
  onTrailingMetadata(metadata: HeaderBlock): void;
  /** Last, exactly once where the call was not cancelled. */
  onClose(status: GrpcStatus, message: string): void;
}

/** A call as its caller sees it. */
export interface GrpcExchange {
  /**
   * @param message copied
   * @returns false where nothing can be sent any more, or too much waits to be sent
   */
  send(message: Uint8Array): boolean;
  /** No message comes after those sent. */
  end(): void;
  /** Gives the call up: the server is told, and the sink hears nothing more. */
  cancel(): void;
}

export interface GrpcTransport {
  /** @returns null where there is no such cluster */
  open(cluster: number, request: GrpcRequest, sink: GrpcSink): GrpcExchange | null;
}
