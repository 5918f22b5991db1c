// Checks signatures of JSON Web Signatures; what a request has in base64url, since it may be any bytes.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeader,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { JwsKey, decodeBase64Url } from '@weir/filters-sdk/assembly/jws';

class Root extends RootContext {
  createStream(): StreamContext {
    return new Jws();
  }
}

class Jws extends StreamContext {
  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const key = new JwsKey(decoded('x-key').copy());
    const algorithm = requestHeader('x-algorithm')!;
    const right = key.verify(algorithm, decoded('x-input'), decoded('x-signature'));
    // The second time with what the key has kept.
    const again = key.verify(algorithm, decoded('x-input'), decoded('x-signature'));
    requestHeaders.set('x-right', right == again ? right.toString() : 'changed its mind');
    return Action.Continue;
  }
}

function decoded(name: string): Bytes {
  const writer = new ByteWriter(4096);
  const text = requestHeader(name)!;
  if (!decodeBase64Url(text, writer)) throw new Error(name);
  return writer.view();
}

registerRoot(new Root());
