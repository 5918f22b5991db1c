// Callbacks that wait, so that what comes one after the other is written one below the other:
//
//     onRequestHeaders(count: i32, endOfStream: bool): Action {
//       const answer = wait(call('auth', head, '', 250));
//       if (answer.status != 200) return replyWith(403, 'no\n');
//       requestHeaders.set('x-user', answer.header('x-user')!);
//       return Action.Continue;
//     }
//
// A method of a StreamContext that handles headers, a body, trailers or the data of a connection may wait, and
// `onTick` of a RootContext; so may any function that they call, in any branch or loop. The message is held
// meanwhile and goes on when the callback has answered `Action.Continue`. Views of the host's values stay valid.
import { GrpcAnswer, HttpAnswer, LimitAnswer, expectGrpc, expectHttp, expectLimit } from './answers';
import { httpCall } from './calls';
import { pauseFlow, runningFlow } from './flow';
import { grpcCall } from './grpc';
import { LimitState } from './limit-decision';
import { Limit } from './limits';
import { PairsWriter } from './pairs';
import { Sleep, addSleep } from './ticks';
import { Waitable } from './waitable';

export { GrpcAnswer, HttpAnswer, LimitAnswer, Sleep, Waitable };

/**
 * Waits until it is there, and hands it back: that a call failed is a value as well. Returns at once where it is
 * there already.
 */
export function wait<T extends Waitable>(wanted: T): T {
  while (!wanted.settled) {
    wanted.waiter = runningFlow();
    pauseFlow();
  }
  return wanted;
}

/** Waits until all of them are there, in whatever order they come. */
export function waitAll(wanted: Waitable[]): void {
  for (let i = 0; i < wanted.length; i++) wait(wanted[i]);
}

/** Waits until one of them is there, and hands back the first in the list that is. The others still come. */
export function waitAny(wanted: Waitable[]): Waitable {
  let first = settledOf(wanted);
  while (first === null) {
    const flow = runningFlow();
    for (let i = 0; i < wanted.length; i++) wanted[i].waiter = flow;
    pauseFlow();
    first = settledOf(wanted);
  }
  return first!;
}

function settledOf(wanted: Waitable[]): Waitable | null {
  for (let i = 0; i < wanted.length; i++) if (wanted[i].settled) return wanted[i];
  return null;
}

/** `httpCall`, to be waited for. One that cannot be made is settled at once, and has failed. */
export function call<U, B>(upstream: U, headers: PairsWriter, body: B, timeoutMs: u32): HttpAnswer {
  return expectHttp(httpCall<U, B>(upstream, headers, body, timeoutMs));
}

/** `grpcCall`, to be waited for. */
export function callGrpc<U, S, M, B>(
  upstream: U,
  service: S,
  method: M,
  metadata: PairsWriter | null,
  message: B,
  timeoutMs: u32,
): GrpcAnswer {
  return expectGrpc(grpcCall<U, S, M, B>(upstream, service, method, metadata, message, timeoutMs));
}

/**
 * At least so many milliseconds, at the next tick after them: the host's ticks are shared with `setTickPeriod`, and
 * what they do besides stays as it is. Sixteen are woken in a tick; others that are due, in the next ones.
 */
export function sleep(milliseconds: u32): Sleep {
  return addSleep(milliseconds);
}

/** `Limit.take`, to be waited for: settled at once unless other workers have to be asked. */
export function take<K>(limit: Limit, key: K, cost: u32): LimitAnswer {
  const state = limit.take<K>(key, cost);
  if (state == LimitState.Pending) return expectLimit(limit.ticket);
  const answer = new LimitAnswer();
  if (state != LimitState.Unavailable) answer.take(limit.decision);
  answer.settled = true;
  return answer;
}
