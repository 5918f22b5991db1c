// Properties: tells the upstream what the proxy knows of the client and the route, and later filters what it makes of it.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  booleanProperty,
  integerProperty,
  property,
  propertyPath,
  registerRoot,
  requestHeaders,
  setProperty,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const SOURCE_ADDRESS = propertyPath('source.address');
const PORT = propertyPath('destination.port');
const MTLS = propertyPath('connection.mtls');
const CLIENT_KIND = propertyPath('client.kind');

const X_CLIENT = utf8('x-client');
const X_PORT = utf8('x-listener-port');
const X_OWNER = utf8('x-route-owner');
const X_KIND = utf8('x-client-kind');

class InfoRoot extends RootContext {
  owner: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const annotation = config.text('annotation', utf8('owner'));
    // Annotations `example.com/owner: payments` of a route. Segments with dots stand in brackets.
    this.owner = propertyPath(
      'xds.route_metadata.filter_metadata[example.com].' + String.UTF8.decode(annotation),
    );
    return config.end();
  }

  createStream(): StreamContext {
    return new Info(this);
  }
}

class Info extends StreamContext {
  constructor(private root: InfoRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    // What is not there is null: the host may not know it, or not yet.
    const address = property(SOURCE_ADDRESS);
    if (address !== null) {
      const colon = address.lastIndexOf(58);
      requestHeaders.set(X_CLIENT, address.slice(0, colon));
    }
    requestHeaders.set(X_PORT, integerProperty(PORT, 0).toString());
    const owner = property(this.root.owner);
    if (owner !== null) requestHeaders.set(X_OWNER, owner);

    const kind = booleanProperty(MTLS, false) ? 'machine' : 'person';
    // For filters behind this one: `property('client.kind')`.
    setProperty(CLIENT_KIND, kind);
    requestHeaders.set(X_KIND, kind);
    return Action.Continue;
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new InfoRoot());
