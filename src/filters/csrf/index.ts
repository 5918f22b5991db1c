// Refuses requests that another site has a browser make in somebody's name. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { Parts } from '@weir/filters-sdk/assembly/parts';
import { CsrfConfig } from './config';

const cookies = new Parts();

class CsrfRoot extends RootContext {
  readonly config: CsrfConfig = new CsrfConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Csrf(this);
  }
}

class Csrf extends StreamContext {
  constructor(private root: CsrfRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    const method = requestHeaders.get(':method');
    // An upgrade is a GET, and a WebSocket of another site acts in somebody's name too.
    const changes = method === null || !config.isSafe(method) || requestHeaders.has('upgrade');
    if (!changes || this.isExempt()) return Action.Continue;
    if (!this.isOwn()) return config.crossSite.send();
    return config.cookie.byteLength == 0 || this.hasToken() ? Action.Continue : config.token.send();
  }

  recycle(): bool {
    return true;
  }

  private isExempt(): bool {
    const path = requestHeaders.get(':path');
    if (path === null) return false;
    const mark = path.indexOf(63);
    return this.root.config.isExempt(mark < 0 ? path : path.slice(0, mark));
  }

  /** By what browsers say of where a request comes from, and scripts cannot change: Sec-Fetch-Site, then Origin. */
  private isOwn(): bool {
    const config = this.root.config;
    const site = only('sec-fetch-site');
    if (site !== null && (site.equals('same-origin') || site.equals('none'))) return true;
    const origin = only('origin');
    if (origin !== null && config.allows(origin)) return true;
    // It said that it is of another origin.
    if (site !== null) return false;
    // No browser of these years sends a change without an Origin.
    if (origin === null)
      return !requestHeaders.has('origin') && !requestHeaders.has('sec-fetch-site') && !config.requireOrigin;
    return isSameHost(origin);
  }

  /** The double submit of a token: another site can have the cookie sent, and not read it. */
  private hasToken(): bool {
    const config = this.root.config;
    const sent = only(config.header);
    if (sent === null || sent.length == 0) return false;
    const fields = requestHeaders.all();
    let found = 0;
    let same = false;
    while (fields.nextNamed('cookie')) {
      cookies.cookies(fields.value);
      while (cookies.next()) {
        if (!cookies.name.equals(config.cookie)) continue;
        found++;
        same = cookies.value.equalsInConstantTime(sent);
      }
    }
    // Another host of the domain may have put a second cookie there.
    return found == 1 && same;
  }
}

/** The one value of a field; null where there is none, or several. */
function only<N>(name: N): Bytes | null {
  const fields = requestHeaders.all();
  if (!fields.nextNamed<N>(name)) return null;
  const value = Bytes.of(fields.value.start, fields.value.length);
  return fields.nextNamed<N>(name) ? null : value;
}

function isSameHost(origin: Bytes): bool {
  const authority = requestHeaders.get(':authority');
  const scheme = origin.indexOfBytes('://');
  return authority !== null && scheme > 0 && origin.slice(scheme + 3).equalsIgnoreCase(authority);
}

registerRoot(new CsrfRoot());
