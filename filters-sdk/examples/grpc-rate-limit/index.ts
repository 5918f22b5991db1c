// gRPC call: asks a rate limit service that speaks Envoy's protocol (envoy.service.ratelimit.v3) whether to let a request pass.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  logWarn,
  registerRoot,
  requestHeaders,
  resumeRequest,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { GrpcEnd, GrpcMessage, grpcCall } from '@weir/filters-sdk/assembly/grpc';

const SERVICE = utf8('envoy.service.ratelimit.v3.RateLimitService');
const METHOD = utf8('ShouldRateLimit');
const OVER_LIMIT: i32 = 2;

const tooMany = Reply.problem(429, 'Too Many Requests', 'try again later', 'over_limit');

// Messages in messages: each is written where the next one finds it.
const entry = new ByteWriter(128);
const descriptor = new ByteWriter(128);
const message = new ByteWriter(256);

class LimitRoot extends RootContext {
  upstream: ArrayBuffer = new ArrayBuffer(0);
  domain: ArrayBuffer = new ArrayBuffer(0);
  header: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.domain = config.text('domain');
    this.header = config.text('header', utf8('x-user'));
    return config.end();
  }

  createStream(): StreamContext {
    return new Limited(this);
  }
}

class Limited extends StreamContext {
  constructor(private root: LimitRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const value = requestHeaders.get(this.root.header);
    if (value === null) return Action.Continue;
    // RateLimitRequest {1: domain, 2: descriptors {1: entries {1: key, 2: value}}}
    field(entry.clear(), 1, view(this.root.header));
    field(entry, 2, value);
    field(descriptor.clear(), 1, entry.view());
    field(message.clear(), 1, view(this.root.domain));
    field(message, 2, descriptor.view());
    const call = grpcCall(this.root.upstream, SERVICE, METHOD, null, message.view(), 200);
    // The service is no reason to turn anybody away: without it all pass.
    return call == 0 ? Action.Continue : Action.Pause;
  }

  onGrpcMessage(answer: GrpcMessage): void {
    // RateLimitResponse {1: overall_code}
    const body = answer.body;
    if (body.length >= 2 && body.at(0) == 8 && body.at(1) == OVER_LIMIT) tooMany.send();
    else resumeRequest();
  }

  onGrpcEnd(end: GrpcEnd): void {
    logWarn('rate limit service: ' + (<i32>end.status).toString() + ' ' + end.message.toString());
    resumeRequest();
  }

  recycle(): bool {
    return true;
  }
}

/** A field of a protobuf message whose value is bytes. */
function field(to: ByteWriter, number: i32, value: Bytes): void {
  to.addByte((number << 3) | 2);
  let size = value.length;
  for (; size > 127; size >>= 7) to.addByte((size & 127) | 128);
  to.addByte(size).add(value);
}

registerRoot(new LimitRoot());
