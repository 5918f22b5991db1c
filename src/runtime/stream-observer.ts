import type { Direction } from './chain.ts';
import type { Stream } from './stream.ts';
import type { StreamContext } from './wasm/context.ts';
import type { Plugin } from './wasm/plugin.ts';

/** Chooses the streams that somebody looks on at. */
export interface StreamWatch {
  /** The head has been read, and nothing been done about it. @returns null where nobody looks on at this one */
  begin(stream: Stream): StreamObserver | null;
}

/**
 * Told of each step of one stream, so that the stream can be explained. It looks on and changes nothing; what it
 * wants to keep of heads it copies, since they change with the next step.
 */
export interface StreamObserver {
  /** Routing was decided: at first, and again where filters changed what it is decided on. */
  routed(stream: Stream): void;
  /**
   * A callback of a filter returned.
   *
   * @param part 0 head, 1 body, 2 trailers
   * @param action what the chain makes of it: an action of the ABI, or `TRAPPED`
   */
  called(stream: Stream, context: StreamContext, direction: Direction, part: number, action: number): void;
  /** A filter let go of what it held, outside of that message's callback. */
  resumed(stream: Stream, plugin: Plugin, direction: Direction): void;
  /** The head goes to an endpoint as it is. */
  attempted(stream: Stream): void;
  /** The head of the upstream's answer has come; the filters see it next. */
  answered(stream: Stream): void;
  /** An answer in the place of the upstream's. @param plugin the filter that decided it; null: weir itself */
  replied(stream: Stream, plugin: Plugin | null): void;
  /** It is over: everything that its access log says is known. */
  ended(stream: Stream): void;
}
