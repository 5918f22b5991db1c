// A filter that asks gRPC services; what a request is for is told by its path.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  PairsWriter,
  RootContext,
  StreamContext,
  logInfo,
  registerRoot,
  replyWith,
  requestHeader,
  requestHeaders,
  resumeRequest,
  setTickPeriod,
} from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import {
  GrpcEnd,
  GrpcMessage,
  GrpcStatus,
  grpcCall,
  grpcCancel,
  grpcClose,
  grpcHead,
  grpcSend,
  grpcStream,
  grpcTrailers,
} from '@weir/filters-sdk/assembly/grpc';

const SERVICE = 'test.Echo';

class Root extends RootContext {
  onConfigure(configuration: ArrayBuffer): bool {
    if (configuration.byteLength > 0) setTickPeriod(5);
    return true;
  }

  onTick(): void {
    setTickPeriod(0);
    grpcCall('echo', SERVICE, 'Unary', null, 'from the root', 5000);
  }

  onGrpcMessage(message: GrpcMessage): void {
    logInfo('root got ' + message.body.toString());
  }

  createStream(): StreamContext {
    return new Asks();
  }
}

class Asks extends StreamContext {
  private token: u32 = 0;
  private heard: string = '';
  private messages: i32 = 0;

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!.toString();
    if (path.startsWith('/unary')) return this.unary('Unary', 'hello');
    if (path.startsWith('/fail')) return this.unary('Fail', '16 nobody');
    if (path.startsWith('/slow')) return this.unary('Hang', '');
    if (path.startsWith('/nowhere')) {
      const sent = grpcCall('nobody', SERVICE, 'Unary', null, '', 0);
      return replyWith(500, 'sent ' + sent.toString());
    }
    if (path.startsWith('/chat')) {
      this.token = grpcStream('echo', SERVICE, 'Chat', new PairsWriter().add('x-who', 'filter'));
      grpcSend(this.token, 'one');
      return Action.Pause;
    }
    if (path.startsWith('/cancel')) {
      this.token = grpcStream('echo', SERVICE, 'Chat', null);
      grpcSend(this.token, 'one');
      return Action.Pause;
    }
    return Action.Continue;
  }

  private unary(method: string, message: string): Action {
    const metadata = new PairsWriter().add('x-one', 'a').add('x-data-bin', sample());
    this.token = grpcCall('echo', SERVICE, method, metadata, message, 300);
    return this.token == 0 ? replyWith(500, 'not sent') : Action.Pause;
  }

  onGrpcHead(token: u32, count: i32): void {
    if (token == this.token) this.heard += 'head ' + (count > 0).toString() + ' ';
  }

  onGrpcMessage(message: GrpcMessage): void {
    if (message.token != this.token) return;
    const path = requestHeader(':path')!;
    if (path.startsWith('/chat')) {
      this.heard += message.body.toString() + ' ';
      if (++this.messages == 1) grpcSend(message.token, 'two');
      else grpcClose(message.token);
      return;
    }
    if (path.startsWith('/cancel')) {
      requestHeaders.set(
        'x-cancelled',
        grpcCancel(message.token).toString() + grpcCancel(message.token).toString(),
      );
      resumeRequest();
      return;
    }
    requestHeaders.set('x-reply', message.body);
    const head = grpcHead.get('x-bytes-bin');
    let bytes: Bytes | null = null;
    if (head !== null) bytes = fromBase64(head);
    requestHeaders.set('x-bytes', bytes === null ? 'none' : list(bytes));
    const tail = grpcTrailers.get('x-tail');
    requestHeaders.set('x-tail', tail === null ? 'none' : tail.toString());
    resumeRequest();
  }

  onGrpcTrailers(token: u32, count: i32): void {
    this.heard += 'heard ' + grpcTrailers.get('x-heard')!.toString() + ' ';
  }

  onGrpcEnd(end: GrpcEnd): void {
    if (end.status == GrpcStatus.Ok) {
      requestHeaders.set('x-chat', this.heard);
      resumeRequest();
    } else replyWith(403, end.status.toString() + ' ' + end.message.toString());
  }
}

function sample(): ArrayBuffer {
  const bytes = new Uint8Array(5);
  for (let i = 0; i < 5; i++) bytes[i] = <u8>(251 + i);
  return bytes.buffer;
}

function list(bytes: Bytes): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += bytes.at(i).toString() + ' ';
  return text;
}

registerRoot(new Root());
