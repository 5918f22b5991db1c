import { Action, CloseType, StreamType } from './abi';
import { CallResponse } from './calls';
import { proxy_close_stream, proxy_continue_stream, proxy_done, proxy_set_effective_context } from './env';
import { GrpcEnd, GrpcMessage } from './grpc';
import { LimitDecision } from './limit-decision';
import { QuotaDecision } from './quota-decision';
import { runningContext, setRunningContext } from './running';

/**
 * One for each request and its response, or for each TCP connection. Callbacks of a request come in this order: request headers, request body
 * (any number), request trailers, response headers, response body, response trailers, done, log, delete.
 *
 * Override what you need. A callback that no class of the filter overrides is not exported, so the host
 * does not make it, and the work it stands for (a body, say) does not pass through the filter.
 */
export abstract class StreamContext {
  /** The root context that made it; the SDK's. */
  owner: RootContext | null = null;
  /** Next of the owner's spare objects; the SDK's. */
  nextSpare: StreamContext | null = null;

  /** The host's number for this stream, or whatever context runs. */
  get id(): u32 {
    return runningContext();
  }

  /**
   * @param count fields, pseudo-headers included
   * @param endOfStream no body and no trailers follow
   */
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** @param size bytes that `requestBody` holds now: this chunk, or all that was kept by a pause */
  onRequestBody(size: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  onRequestTrailers(count: i32): Action {
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  onResponseTrailers(count: i32): Action {
    return Action.Continue;
  }

  /** TCP: a client has connected. `Pause` keeps it from the upstream until `resumeDownstream`. */
  onNewConnection(): Action {
    return Action.Continue;
  }

  /**
   * TCP: the client sent something. `Pause` keeps it: the next call sees all that was kept.
   *
   * @param size bytes that `downstreamData` holds now
   * @param endOfStream the client sends no more
   */
  onDownstreamData(size: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** TCP: the same for the upstream and `upstreamData`. */
  onUpstreamData(size: i32, endOfStream: bool): Action {
    return Action.Continue;
  }

  onDownstreamClose(by: CloseType): void {}

  onUpstreamClose(by: CloseType): void {}

  /** The answer to a call that this stream made with `httpCall`. */
  onCallResponse(response: CallResponse): void {}

  /** The head of a gRPC stream's answer: `grpcHead`. */
  onGrpcHead(token: u32, count: i32): void {}

  /** A message of a gRPC stream, or the one of a unary call, which is over with it. */
  onGrpcMessage(message: GrpcMessage): void {}

  /** The trailers of a gRPC stream: `grpcTrailers`. */
  onGrpcTrailers(token: u32, count: i32): void {}

  /** A gRPC stream is over, or a unary call failed. */
  onGrpcEnd(end: GrpcEnd): void {}

  /** The answer to a `Limit.take` of this stream that was pending. */
  onLimitDecision(decision: LimitDecision): void {}

  /** The answer to a `QuotaSet.reserve` of this stream that was pending. */
  onQuotaDecision(decision: QuotaDecision): void {}

  /** The answer to a `verifyPassword` of this stream that was pending. */
  onPasswordVerified(right: bool): void {}

  /**
   * Somebody asks why the filter did what it did with the request's head (`weir explain`): a sentence or a few lines. It
   * comes after `onRequestHeaders`, and where that returned `Pause` once more after `onResponseHeaders`; changes nothing, and other
   * hosts never ask.
   */
  onExplain(): string {
    return '';
  }

  /** The stream has ended. */
  onDone(): void {}

  /** After the end, for logs and metrics: everything can be read, nothing changed. */
  onLog(): void {}

  onDelete(): void {}

  /**
   * After `onDelete`: an object that puts its fields back as the constructor made them, and answers true,
   * serves another stream later. Then a request makes no object and the collector has nothing to do.
   */
  recycle(): bool {
    return false;
  }
}

/** One for each plugin configuration, in each instance of the module. */
export abstract class RootContext {
  /** Set by the SDK. */
  id: u32 = 0;
  /** Next of the module's root contexts; the SDK's. */
  nextRoot: RootContext | null = null;
  /** Objects of finished streams that may serve again; the SDK's. */
  spare: StreamContext | null = null;

  /** The VM's configuration, before `onConfigure`. False refuses to start. */
  onStart(configuration: ArrayBuffer): bool {
    return true;
  }

  /** The plugin's configuration. False refuses it: say why in the log. The buffer may be kept. */
  onConfigure(configuration: ArrayBuffer): bool {
    return true;
  }

  /** The object for a stream; the same one each time is fine where it keeps nothing between callbacks. */
  abstract createStream(): StreamContext;

  /** Every `setTickPeriod` milliseconds. */
  onTick(): void {}

  /** An item lies in a queue of this plugin. Another instance may have taken it already. */
  onQueueReady(queue: u32): void {}

  /** The answer to a call that was made outside of a stream. */
  onCallResponse(response: CallResponse): void {}

  /** The head of a gRPC stream's answer: `grpcHead`. */
  onGrpcHead(token: u32, count: i32): void {}

  /** A message of a gRPC stream, or the one of a unary call, which is over with it. */
  onGrpcMessage(message: GrpcMessage): void {}

  /** The trailers of a gRPC stream: `grpcTrailers`. */
  onGrpcTrailers(token: u32, count: i32): void {}

  /** A gRPC stream is over, or a unary call failed. */
  onGrpcEnd(end: GrpcEnd): void {}

  /** The plugin is replaced or removed. False puts that off until `finishRoot()`. */
  onDone(): bool {
    return true;
  }

  onDelete(): void {}
}

/** Lets a paused request go on. May be called before the callback returns `Pause`. */
export function resumeRequest(): void {
  proxy_continue_stream(StreamType.Request);
}

/** Lets a paused response go on. */
export function resumeResponse(): void {
  proxy_continue_stream(StreamType.Response);
}

/** Cuts the stream off, without an answer. */
export function resetStream(): void {
  proxy_close_stream(StreamType.Request);
}

/** TCP: lets the connection, or what the client sent, go on. */
export function resumeDownstream(): void {
  proxy_continue_stream(StreamType.Downstream);
}

/** TCP: lets what the upstream sent go on. */
export function resumeUpstream(): void {
  proxy_continue_stream(StreamType.Upstream);
}

/** TCP: closes both connections. What was passed on to the client arrives. */
export function closeConnection(): void {
  proxy_close_stream(StreamType.Downstream);
}

/** A root context that put off its end is done. */
export function finishRoot(): void {
  proxy_done();
}

/**
 * Makes host calls another context's of the same module, until the callback returns or the next `actAs`: a root context that
 * has an answer for a stream which waits, or a stream that asks for all.
 *
 * @param id of a stream or a root context
 * @returns false where the host has ended it already
 */
export function actAs(id: u32): bool {
  if (proxy_set_effective_context(id) != 0) return false;
  setRunningContext(id);
  return true;
}
