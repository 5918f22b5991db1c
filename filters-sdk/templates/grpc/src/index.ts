// Asks a gRPC service how risky a request is, and waits for its answer.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  logWarn,
  property,
  propertyPath,
  registerRoot,
  requestHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';
import { GrpcEnd, GrpcMessage, grpcCall } from '@weir/filters-sdk/assembly/grpc';
import { addBytesField, readUnsignedField } from './protobuf';

const PATH = utf8(':path');
const ADDRESS = propertyPath('source.address');
const RISK = utf8('x-risk');
const SERVICE = utf8('acme.risk.v1.Risk');
const METHOD = utf8('Score');

const refused = Reply.problem(403, 'Forbidden', 'this request looks like an attack', 'risky');

/** Messages and numbers; its memory is used again for every request. */
const text = new ByteWriter(256);

class RiskRoot extends RootContext {
  /** As `callouts` of the chain has it: a filter calls nobody that it is not given there. */
  upstream: ArrayBuffer = utf8('');
  refuseFrom: i64 = 0;
  timeoutMs: u32 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.upstream = config.text('upstream');
    this.refuseFrom = config.integer('refuseFrom', 0, 100, 80);
    this.timeoutMs = <u32>config.duration('timeout', 1, 60_000, 200);
    return config.end();
  }

  createStream(): StreamContext {
    return new Risky(this);
  }
}

class Risky extends StreamContext {
  constructor(private root: RiskRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    requestHeaders.remove(RISK);
    text.clear();
    addBytesField(text, 1, orEmpty(requestHeaders.get(PATH)));
    addBytesField(text, 2, orEmpty(property(ADDRESS)));
    const root = this.root;
    const call = grpcCall(root.upstream, SERVICE, METHOD, null, text.view(), root.timeoutMs);
    // Paused: one of the two callbacks below comes, and lets the request go on or not.
    return call == 0 ? Action.Continue : Action.Pause;
  }

  /** The service has answered. */
  onGrpcMessage(message: GrpcMessage): void {
    const score = readUnsignedField(message.body, 1);
    if (score >= this.root.refuseFrom) {
      refused.send();
      return;
    }
    requestHeaders.set(RISK, text.clear().addNumber(score).view());
    resumeRequest();
  }

  /** It has not: what nobody calls risky goes on. */
  onGrpcEnd(end: GrpcEnd): void {
    logWarn('the risk service failed: ' + end.status.toString() + ' ' + end.message.toString());
    resumeRequest();
  }
}

function orEmpty(bytes: Bytes | null): Bytes {
  return bytes === null ? Bytes.of(0, 0) : bytes;
}

registerRoot(new RiskRoot());
