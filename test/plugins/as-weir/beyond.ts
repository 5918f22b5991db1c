// What hosts offer by name: expressions, declared properties, filter state, signatures, metadata.
import {
  Action,
  ByteWriter,
  Bytes,
  StreamContext,
  property,
  requestHeader,
  requestHeaders,
  responseHeaders,
  setProperty,
  view,
} from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import {
  callForeign,
  clearRouteCache,
  compress,
  foreignUnknown,
  setMetadata,
  uncompress,
} from '@weir/filters-sdk/assembly/foreign';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Fields, addField, addNumberField } from '@weir/filters-sdk/assembly/protobuf';
import { sign, verifySignature } from '@weir/filters-sdk/assembly/signatures';
import {
  Expression,
  PropertyType,
  Span,
  declareProperty,
  setFilterState,
} from '@weir/filters-sdk/assembly/state';

/** Made where the plugin is configured. */
export class Declared {
  readonly isGet: Expression = new Expression("request.method == 'GET'");
  readonly path: Expression = new Expression("request.path + '!'");
  readonly number: Expression = new Expression('size(request.path)');
  readonly gone: Expression = new Expression('true');
  readonly refused: bool = !new Expression('1 +').valid;
  readonly declared: bool =
    declareProperty('once', true, PropertyType.String, Span.Stream) &&
    declareProperty('always', false, PropertyType.Bytes, Span.Connection);

  constructor() {
    this.gone.remove();
  }
}

export class State extends StreamContext {
  constructor(private made: Declared) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const made = this.made;
    const valid = [made.isGet.valid, made.path.valid, made.gone.valid, made.refused, made.declared];
    requestHeaders.set('x-valid', valid.toString());
    requestHeaders.set('x-holds', [made.isGet.holds(), made.path.holds(), made.gone.holds()].toString());
    const path = made.path.evaluate();
    const number = made.number.evaluate();
    if (path !== null) requestHeaders.set('x-path', path);
    requestHeaders.set('x-number', number === null ? 'none' : load<i64>(number.start).toString());
    requestHeaders.set('x-once', [setProperty('once', 'a'), setProperty('once', 'b')].toString());
    requestHeaders.set('x-always', [setProperty('always', 'a'), setProperty('always', 'b')].toString());
    requestHeaders.set('x-declared', text('once') + text('always'));
    const state = setFilterState('envoy.string', 'kept', Span.Stream);
    requestHeaders.set('x-state', state.toString() + ' ' + clearRouteCache().toString());
    requestHeaders.set('x-metadata', setMetadata('ns', 'key', 'value').toString());
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.set('x-state', text('filter_state[envoy.string]'));
    responseHeaders.set('x-metadata', text('metadata.filter_metadata.ns.key'));
    responseHeaders.set('x-holds', this.made.isGet.holds().toString());
    return Action.Continue;
  }
}

function text(path: string): string {
  const value = property(path);
  return value === null ? 'none' : value.toString();
}

/** `private key,public key`, both in base64 of DER. */
export class Signatures extends StreamContext {
  private keys: ArrayBuffer[] = [];

  constructor(keys: string) {
    super();
    const parts = keys.split(',');
    for (let i = 0; i < parts.length; i++) {
      const bytes = String.UTF8.encode(parts[i]);
      this.keys.push(fromBase64(view(bytes))!.copy());
    }
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const text = requestHeader('x-text')!;
    for (let i = 0; i + 1 < this.keys.length; i += 2) {
      const signature = sign('sha256', this.keys[i], text);
      requestHeaders.add(
        'x-signed',
        signature === null ? 'no' : this.check(signature, text, this.keys[i + 1]),
      );
    }
    const noKey = sign('sha256', 'no key', text) === null;
    const noHash = sign('md5', this.keys[0], text) === null;
    requestHeaders.set('x-refused', [noKey, noHash].toString());
    return Action.Continue;
  }

  private check(signature: Bytes, text: Bytes, key: ArrayBuffer): string {
    const good = verifySignature('sha256', key, signature, text);
    const otherText = verifySignature('sha256', key, signature, 'other');
    const otherHash = verifySignature('sha512', key, signature, text);
    return [good, otherText, otherHash].toString();
  }
}

export class Messages extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const packed = compress('hello hello hello hello hello hello hello')!;
    requestHeaders.set('x-plain', uncompress(packed)!);
    requestHeaders.set('x-smaller', (packed.length < 30).toString());
    requestHeaders.set('x-broken', (uncompress('not zlib') === null).toString());
    requestHeaders.set('x-unknown', (callForeign('no.such.function', '') === null).toString());
    requestHeaders.set('x-not-known', foreignUnknown().toString());

    // `declare_property` by hand, and one with a number where the name should be.
    const message = new ByteWriter();
    addField(message, 1, 'by-hand');
    addNumberField(message, 3, 1);
    requestHeaders.set('x-by-hand', (callForeign('declare_property', message.view()) !== null).toString());
    requestHeaders.set(
      'x-damaged',
      (callForeign('declare_property', message.view().slice(0, 4)) === null).toString(),
    );
    const fields = new Fields(message.view());
    let read = '';
    while (fields.next()) {
      read += fields.field.toString() + '=' + fields.number.toString() + fields.value.toString() + ' ';
    }
    requestHeaders.set('x-fields', read);
    return Action.Continue;
  }
}
