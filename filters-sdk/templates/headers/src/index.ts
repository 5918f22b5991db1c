// Sets, replaces and removes header fields of requests and of answers.

// Hands on the callbacks that the host makes. Without this line the module is no filter.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { configuration, length, readConfiguration } from '@weir/filters-sdk/assembly/configuration';

// Names that every request uses are encoded once, when the module starts.
const AUTHORITY = utf8(':authority');
const TENANT = utf8('x-tenant');
const SERVED_BY = utf8('x-served-by');
const SERVER = utf8('server');
const POWERED_BY = utf8('x-powered-by');
const DOT: i32 = 46;

/**
 * Tells the upstream the tenant of a request, and clients who served it. What stands here is the filter's configuration:
 * the compiler makes what reads it, and the schema by which weir and editors check it.
 */
@configuration({ title: 'my-filter', phase: 'transform', capabilities: ['headers'] })
class Settings {
  /** What answers say in `x-served-by`. */
  @length(1, 100) servedBy: ArrayBuffer = utf8('weir');
}

/** One for each configuration of the filter; it makes an object for each request. */
class TenantRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    // Null refuses the configuration: the log has each fault, with line and column.
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new Tenant(this);
  }
}

/** One for each request. Callbacks that are not written here are not exported, and cost nothing. */
class Tenant extends StreamContext {
  constructor(private root: TenantRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const authority = requestHeaders.get(AUTHORITY);
    const dot = authority === null ? -1 : authority.indexOf(DOT);
    // What the client says of its tenant counts for nothing.
    if (authority === null || dot <= 0) requestHeaders.remove(TENANT);
    else requestHeaders.set(TENANT, authority.slice(0, dot));
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.remove(SERVER);
    responseHeaders.remove(POWERED_BY);
    responseHeaders.set(SERVED_BY, this.root.settings.servedBy);
    return Action.Continue;
  }
}

registerRoot(new TenantRoot());
