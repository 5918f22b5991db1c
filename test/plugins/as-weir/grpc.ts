import {
  Action,
  PairsWriter,
  Reply,
  StreamContext,
  logInfo,
  requestHeader,
  requestHeaders,
  resumeRequest,
} from '@weir/filters-sdk/assembly';
import {
  GrpcEnd,
  GrpcMessage,
  GrpcStatus,
  grpcHead,
  grpcSend,
  grpcStream,
  grpcTrailers,
} from '@weir/filters-sdk/assembly/grpc';
import { GrpcAnswer, callGrpc, wait } from '@weir/filters-sdk/assembly/wait';
import { LANGUAGE } from './headers';

const SERVICE = 'test.Echo';

function metadata(): PairsWriter {
  return new PairsWriter().add('x-from', LANGUAGE);
}

/** Waits for the answer. */
export class Grpc extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const call = requestHeader('x-call')!;
    const space = call.indexOf(32);
    const method = call.slice(0, space < 0 ? call.length : space);
    const message = call.slice(method.length + 1);
    const answer: GrpcAnswer = wait(callGrpc('grpc', SERVICE, method, metadata(), message, 2000));
    if (!answer.failed) {
      requestHeaders.set('x-grpc-reply', answer.body);
      return Action.Continue;
    }
    const reply = new Reply(403, 'Access forbidden.\n');
    reply.headers.add('x-grpc-code', (<i32>answer.status).toString()).add('x-grpc-text', answer.reason);
    return reply.send();
  }
}

/** Hears of each step. */
export class GrpcChat extends StreamContext {
  private heard: string = '';
  private trailer: string = '';
  private token: u32 = 0;

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    this.token = grpcStream('grpc', SERVICE, 'Chat', metadata());
    grpcSend(this.token, requestHeader('x-first')!);
    return Action.Pause;
  }

  onGrpcMessage(message: GrpcMessage): void {
    const first = this.heard == '';
    this.heard += (first ? '' : ', ') + message.body.toString();
    if (first) grpcSend(message.token, 'two', true);
  }

  onGrpcTrailers(token: u32, count: i32): void {
    const heard = grpcTrailers.get('x-heard');
    if (token == this.token && heard !== null) this.trailer = heard.toString();
  }

  onGrpcEnd(end: GrpcEnd): void {
    if (end.token != this.token) return;
    requestHeaders.set('x-grpc-heard', this.heard);
    requestHeaders.set('x-grpc-trailer', this.trailer);
    requestHeaders.set('x-grpc-code', (<i32>end.status).toString());
    resumeRequest();
  }
}

/** A stream that belongs to the root context. */
export class RootChat {
  private token: u32 = 0;

  begin(): void {
    this.token = grpcStream('grpc', SERVICE, 'Chat', metadata());
    grpcSend(this.token, 'root', true);
  }

  onHead(token: u32, count: i32): void {
    if (token == this.token) logInfo('root has a head ' + grpcHead.has('content-type').toString());
  }

  onMessage(message: GrpcMessage): void {
    const size = message.size == message.body.length;
    logInfo('root heard ' + message.body.toString() + ' ' + size.toString());
  }

  onTrailers(token: u32, count: i32): void {
    logInfo('root has trailers ' + grpcTrailers.has('x-heard').toString());
  }

  onEnd(end: GrpcEnd): void {
    logInfo('root has the end ' + (end.status == GrpcStatus.Ok).toString());
  }
}
