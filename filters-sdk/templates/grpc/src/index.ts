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
import {
  configuration,
  duration,
  length,
  range,
  readConfiguration,
} from '@weir/filters-sdk/assembly/configuration';
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

/** Asks a service how risky a request is, and refuses those that are. */
@configuration({
  title: 'my-filter',
  phase: 'authz',
  capabilities: ['headers', 'reply', 'properties', 'grpcCall'],
})
class Settings {
  /** The service, by its name in `callouts` of the chain: a filter calls nobody that it is not given there. */
  @length(1, 253) upstream: ArrayBuffer;
  /** Requests with this score or a higher one are refused. */
  @range(0, 100) refuseFrom: i64 = 80;
  /** How long to wait for its answer. */
  @duration('1ms', '1m') timeout: u32 = 200;
}

class RiskRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
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
    const settings = this.root.settings;
    const call = grpcCall(settings.upstream, SERVICE, METHOD, null, text.view(), settings.timeout);
    // Paused: one of the two callbacks below comes, and lets the request go on or not.
    return call == 0 ? Action.Continue : Action.Pause;
  }

  /** The service has answered. */
  onGrpcMessage(message: GrpcMessage): void {
    const score = readUnsignedField(message.body, 1);
    if (score >= this.root.settings.refuseFrom) {
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
