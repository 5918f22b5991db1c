// What hosts offer by name beyond the ABI, by the SDK's functions; what a request is for is told by its path.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  getShared,
  property,
  registerRoot,
  requestHeader,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import {
  SharedChange,
  addShared,
  deleteShared,
  setSharedFor,
  sharedKeys,
} from '@weir/filters-sdk/assembly/counters';
import {
  callForeign,
  clearRouteCache,
  compress,
  foreignUnknown,
  setMetadata,
  uncompress,
} from '@weir/filters-sdk/assembly/foreign';
import { Fields, addField, addNumberField } from '@weir/filters-sdk/assembly/protobuf';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { sign, verifySignature } from '@weir/filters-sdk/assembly/signatures';
import {
  Expression,
  PropertyType,
  Span,
  declareProperty,
  setFilterState,
} from '@weir/filters-sdk/assembly/state';

class Root extends RootContext {
  keys: ArrayBuffer = new ArrayBuffer(0);
  expression: Expression | null = null;

  /** In base64: the size of a private key (u16), the key (PKCS #8), and behind it its public key. */
  onConfigure(configuration: ArrayBuffer): bool {
    this.keys = fromBase64(Bytes.of(changetype<usize>(configuration), configuration.byteLength))!.copy();
    this.expression = new Expression("request.method == 'GET'");
    declareProperty('host.declared', false, PropertyType.String, Span.Stream);
    return true;
  }

  createStream(): StreamContext {
    return new Host(this);
  }
}

class Host extends StreamContext {
  constructor(private root: Root) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const path = requestHeader(':path')!;
    let text = '';
    if (path.equals('/counters')) text = counters();
    else if (path.equals('/compress')) text = zlib();
    else if (path.equals('/state')) text = this.state();
    else if (path.equals('/signatures')) text = this.signatures();
    else if (path.equals('/protobuf')) text = protobuf();
    else if (path.equals('/unknown')) {
      text = (callForeign('no.such.function', '') === null).toString() + foreignUnknown().toString();
    }
    requestHeaders.set('x-host', text);
    return Action.Continue;
  }

  private state(): string {
    const state = setFilterState('envoy.string', 'kept', Span.Stream);
    const read = property('filter_state[envoy.string]');
    const metadata = setMetadata('ns', 'key', 'value');
    const expression = this.root.expression!;
    const value = expression.evaluate();
    const refused = new Expression('1 +').valid;
    return (
      [expression.valid, expression.holds(), value !== null, refused, state, clearRouteCache()].toString() +
      ' ' +
      (read === null ? 'none' : read.toString()) +
      ' ' +
      (metadata ? property('metadata.filter_metadata.ns.key')!.toString() : 'none')
    );
  }

  private signatures(): string {
    const keys = Bytes.of(changetype<usize>(this.root.keys), this.root.keys.byteLength);
    const size = keys.at(0) | (keys.at(1) << 8);
    const privateKey = keys.slice(2, 2 + size);
    const publicKey = keys.slice(2 + size);
    const signature = sign('sha256', privateKey, 'text');
    if (signature === null) return 'not signed';
    const good = verifySignature('sha256', publicKey, signature, 'text');
    const other = verifySignature('sha256', publicKey, signature, 'other text');
    const noKey = sign('sha256', 'no key', 'text') === null;
    return good.toString() + ' ' + other.toString() + ' ' + noKey.toString();
  }
}

class Append extends SharedChange {
  asked: i32 = 0;

  constructor(private text: string) {
    super();
  }

  next(current: Bytes | null): ArrayBuffer {
    // Another is faster, the first time.
    if (this.asked++ == 0) setSharedFor('list', 'x', 0);
    return utf8((current === null ? '' : current.toString()) + this.text);
  }
}

function counters(): string {
  const counted = addShared('count', 5);
  const again = addShared('count', -2, 1000);
  const append = new Append('a');
  setSharedFor('list', 'old', 0);
  const appended = append.apply('list');
  const text = getShared('list')!.toString();
  const set = setSharedFor('kept', 'value', 60_000);
  const keys = sharedKeys('k');
  let names = '';
  if (keys !== null) while (keys.next()) names += keys.name.toString();
  const removed = deleteShared('kept');
  const gone = deleteShared('kept');
  return (
    counted!.value.toString() +
    ' ' +
    again!.value.toString() +
    ' ' +
    [appended, append.asked == 2, set, removed, gone].toString() +
    ' ' +
    names +
    ' ' +
    text
  );
}

function zlib(): string {
  const packed = compress('hello hello hello hello hello hello hello');
  if (packed === null) return 'not packed';
  const small = packed.length < 30;
  const plain = uncompress(packed);
  return small.toString() + ' ' + plain!.toString() + ' ' + (uncompress('not zlib') === null).toString();
}

function protobuf(): string {
  const message = new ByteWriter(4);
  addField(message, 1, 'text');
  addNumberField(message, 2, 300);
  addField(message, 1000, 'l'.repeat(200));
  addNumberField(message, 3, u64.MAX_VALUE);
  const fields = new Fields(message.view());
  let text = '';
  while (fields.next()) {
    text +=
      fields.field.toString() + ':' + fields.number.toString() + ':' + fields.value.length.toString() + ' ';
  }
  const broken = new Fields(message.view().slice(0, 3));
  return text + broken.next().toString();
}

registerRoot(new Root());
