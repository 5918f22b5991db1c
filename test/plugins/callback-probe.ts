// Says in each callback what it can read and write of the message, and does what its configuration names for it:
// `onRequestBody=Pause onResponseHeaders=call`.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CallResponse,
  CloseType,
  PairsWriter,
  RootContext,
  StreamContext,
  closeConnection,
  dequeue,
  downstreamData,
  finishRoot,
  getShared,
  httpCall,
  logInfo,
  registerQueue,
  registerRoot,
  replyWith,
  requestHeaders,
  resumeDownstream,
  resumeRequest,
  resumeResponse,
  resumeUpstream,
  setTickPeriod,
  upstreamData,
  utf8,
} from '@weir/filters-sdk/assembly';
import { BufferType, MapType, Status } from '@weir/filters-sdk/assembly/abi';
import {
  proxy_get_buffer_bytes,
  proxy_get_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_buffer_bytes,
} from '@weir/filters-sdk/assembly/env';
import {
  GrpcEnd,
  GrpcMessage,
  grpcCall,
  grpcClose,
  grpcHead,
  grpcSend,
  grpcStream,
  grpcTrailers,
} from '@weir/filters-sdk/assembly/grpc';
import { Algorithm, Limit, LimitDecision, LimitState, Scope } from '@weir/filters-sdk/assembly/limits';

let script = new Map<string, string>();

function todo(callback: string): string {
  return script.has(callback) ? script.get(callback) : '';
}

class Root extends RootContext {
  private limit: Limit = new Limit(1, 1000, 0, Algorithm.TokenBucket, Scope.Node);

  onStart(configuration: ArrayBuffer): bool {
    logInfo('onStart ' + String.UTF8.decode(configuration));
    return String.UTF8.decode(configuration) != 'refused';
  }

  onConfigure(configuration: ArrayBuffer): bool {
    script = new Map<string, string>();
    const parts = String.UTF8.decode(configuration).split(' ');
    for (let i = 0; i < parts.length; i++) {
      const pair = parts[i].split('=');
      if (pair.length == 2) script.set(pair[0], pair[1]);
    }
    logInfo('onConfigure queue ' + (registerQueue('jobs') > 0).toString());
    setTickPeriod(1000);
    return todo('onConfigure') != 'false';
  }

  createStream(): StreamContext {
    logInfo('createStream');
    return new Probe(this.limit);
  }

  onTick(): void {
    logInfo('onTick ' + head(MapType.RequestHeaders) + ' ' + (getShared('none') === null).toString());
    if (todo('onTick') == 'call') ask();
    if (todo('onTick') == 'grpc') grpcCall('grpc', 'test.Echo', 'Unary', null, 'root', 100);
  }

  onQueueReady(queue: u32): void {
    const item = dequeue(queue);
    logInfo('onQueueReady ' + (item === null ? 'null' : item.toString()));
  }

  onCallResponse(response: CallResponse): void {
    logInfo('root onCallResponse ' + response.status.toString());
    if (todo('onDone') == 'false') finishRoot();
  }

  onGrpcMessage(message: GrpcMessage): void {
    logInfo('root onGrpcMessage ' + message.body.toString());
  }

  onDone(): bool {
    logInfo('root onDone');
    if (todo('onDone') != 'false') return true;
    ask();
    return false;
  }

  onDelete(): void {
    logInfo('root onDelete');
  }
}

function ask(): u32 {
  const head = new PairsWriter().add(':method', 'GET').add(':path', '/asked').add(':authority', 'authz');
  return httpCall('authz', head, '', 100);
}

const out = memory.data(8);
const MARKER = utf8('x-marker');
const MARK = utf8('x-probe');

/** `r` and `w` for what can be read and written, `-` for neither. The SDK's own `get` ends the instance where it may not. */
function head(map: MapType): string {
  const read = proxy_get_header_map_value(map, changetype<usize>(MARKER), MARKER.byteLength, out, out + 4);
  const mark = changetype<usize>(MARK);
  const written = proxy_replace_header_map_value(map, mark, MARK.byteLength, mark, MARK.byteLength);
  return access(read == Status.Ok, written == Status.Ok);
}

function body(buffer: BufferType): string {
  const read = proxy_get_buffer_bytes(buffer, 0, 1, out, out + 4);
  const some = read == Status.Ok && load<i32>(out, 4) > 0;
  const mark = changetype<usize>(MARK);
  return access(some, proxy_set_buffer_bytes(buffer, i32.MAX_VALUE, 0, mark, 1) == Status.Ok);
}

function access(read: bool, write: bool): string {
  return read ? (write ? 'rw' : 'r') : write ? 'w' : '-';
}

class Probe extends StreamContext {
  private token: u32 = 0;
  private resumes: string = '';

  constructor(private limit: Limit) {
    super();
  }

  private probe(callback: string): void {
    const parts = [
      head(MapType.RequestHeaders),
      body(BufferType.RequestBody),
      head(MapType.ResponseHeaders),
      body(BufferType.ResponseBody),
    ];
    logInfo(callback + ' ' + parts.join(' '));
  }

  private act(callback: string, resumes: string): Action {
    const wanted = todo(callback);
    this.resumes = resumes;
    if (wanted == 'Pause') return Action.Pause;
    if (wanted == 'PauseAndWatermark') return Action.PauseAndWatermark;
    if (wanted == 'PauseAndDrop') return Action.PauseAndDrop;
    if (wanted == 'reply') replyWith(403, 'no');
    if (wanted == 'throw') throw new Error('asked for');
    if (wanted == 'resumed') {
      this.resume();
      return Action.Pause;
    }
    if (wanted == 'call') {
      this.token = ask();
      return Action.Pause;
    }
    if (wanted == 'grpc' || wanted == 'grpc-fail') {
      this.token = grpcCall('grpc', 'test.Echo', wanted == 'grpc' ? 'Unary' : 'Fail', null, '7 no', 100);
      return Action.Pause;
    }
    if (wanted == 'grpc-stream') {
      this.token = grpcStream('grpc', 'test.Echo', 'Chat', null);
      grpcSend(this.token, 'one');
      return Action.Pause;
    }
    if (wanted == 'limit') {
      const state = this.limit.take('key', 1);
      logInfo('pending ' + (state == LimitState.Pending).toString());
      return Action.Pause;
    }
    return Action.Continue;
  }

  private resume(): void {
    if (this.resumes == 'request') resumeRequest();
    if (this.resumes == 'response') resumeResponse();
    if (this.resumes == 'downstream') resumeDownstream();
    if (this.resumes == 'upstream') resumeUpstream();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    this.probe('onRequestHeaders');
    const path = requestHeaders.get(':path');
    logInfo('head ' + (path !== null).toString() + ' ' + endOfStream.toString());
    return this.act('onRequestHeaders', 'request');
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    logInfo('request body ' + size.toString() + ' ' + endOfStream.toString());
    this.probe('onRequestBody');
    if (todo('onRequestBody') == 'gather') return endOfStream ? Action.Continue : Action.Pause;
    return this.act('onRequestBody', 'request');
  }

  onRequestTrailers(count: i32): Action {
    this.probe('onRequestTrailers');
    return this.act('onRequestTrailers', 'request');
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    this.probe('onResponseHeaders');
    return this.act('onResponseHeaders', 'response');
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    logInfo('answer body ' + size.toString() + ' ' + endOfStream.toString());
    this.probe('onResponseBody');
    return this.act('onResponseBody', 'response');
  }

  onResponseTrailers(count: i32): Action {
    this.probe('onResponseTrailers');
    return this.act('onResponseTrailers', 'response');
  }

  onCallResponse(response: CallResponse): void {
    const known = response.token == this.token && requestHeaders.set('x-asked', '1');
    const body = response.body.toString() + ' ' + response.trailerCount.toString();
    logInfo('onCallResponse ' + response.status.toString() + ' ' + body + ' ' + known.toString());
    if (response.failed) logInfo('failed ' + response.reason.toString());
    this.resume();
  }

  onGrpcHead(token: u32, count: i32): void {
    logInfo('onGrpcHead ' + grpcHead.has('x-head').toString());
  }

  onGrpcMessage(message: GrpcMessage): void {
    logInfo('onGrpcMessage ' + message.body.toString());
    if (todo('onRequestHeaders') == 'grpc-stream') grpcClose(message.token);
    else resumeRequest();
  }

  onGrpcTrailers(token: u32, count: i32): void {
    logInfo('onGrpcTrailers ' + grpcTrailers.has('x-end').toString());
  }

  onGrpcEnd(end: GrpcEnd): void {
    logInfo('onGrpcEnd ' + (<i32>end.status).toString() + ' ' + end.message.toString());
    resumeRequest();
  }

  onLimitDecision(decision: LimitDecision): void {
    logInfo('onLimitDecision ' + decision.allowed.toString());
    resumeRequest();
  }

  onNewConnection(): Action {
    logInfo('onNewConnection');
    return this.act('onNewConnection', 'downstream');
  }

  onDownstreamData(size: i32, endOfStream: bool): Action {
    logInfo('onDownstreamData ' + downstreamData.read().toString());
    if (downstreamData.read().equals('close')) closeConnection();
    return this.act('onDownstreamData', 'downstream');
  }

  onUpstreamData(size: i32, endOfStream: bool): Action {
    logInfo('onUpstreamData ' + upstreamData.read().toString());
    return this.act('onUpstreamData', 'upstream');
  }

  onDownstreamClose(by: CloseType): void {
    logInfo('onDownstreamClose ' + (<i32>by).toString());
  }

  onUpstreamClose(by: CloseType): void {
    logInfo('onUpstreamClose ' + (<i32>by).toString());
  }

  onDone(): void {
    this.probe('onDone');
  }

  onLog(): void {
    this.probe('onLog');
  }

  onDelete(): void {
    this.probe('onDelete');
  }
}

registerRoot(new Root());
