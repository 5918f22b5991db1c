// Configuration as a class: redirects from a list. The compiler makes the reader and a JSON Schema of it.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import {
  configuration,
  items,
  oneOf,
  part,
  pattern,
  readConfiguration,
} from '@weir/filters-sdk/assembly/configuration';

const PATH = utf8(':path');

/** One path and where it went. */
@part
class Redirect {
  /** The path, without a query. */
  @pattern('/[^?#]*') from: string;
  /** An address, or a path of this site. */
  @pattern('(https?://|/)[!-~]*') to: string;
  @oneOf(301, 302, 307, 308) status: i32 = 308;
}

/** Sends clients from old paths to new ones. */
@configuration({ title: 'redirects', phase: 'transform', capabilities: ['headers', 'reply'] })
class Redirects {
  @items(1, 1000) redirects: Redirect[];
}

class RedirectRoot extends RootContext {
  private replies: Map<string, Reply> = new Map<string, Reply>();

  onConfigure(text: ArrayBuffer): bool {
    // Null: what is wrong with it has been told, each fault with its place.
    const settings = readConfiguration<Redirects>(text);
    if (settings === null) return false;
    const redirects = settings.redirects;
    for (let i = 0; i < redirects.length; i++) {
      const redirect = redirects[i];
      const reply = new Reply(redirect.status, '', 'redirected');
      reply.headers.add('location', redirect.to);
      this.replies.set(redirect.from, reply);
    }
    return true;
  }

  /** Null where a path stays. */
  replyTo(path: string): Reply | null {
    return this.replies.has(path) ? this.replies.get(path) : null;
  }

  createStream(): StreamContext {
    return new Redirected(this);
  }
}

class Redirected extends StreamContext {
  constructor(private root: RedirectRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const path = requestHeaders.get(PATH);
    if (path === null) return Action.Continue;
    const query = path.indexOf(63);
    const reply = this.root.replyTo((query < 0 ? path : path.slice(0, query)).toString());
    return reply === null ? Action.Continue : reply.send();
  }

  recycle(): bool {
    return true;
  }
}

registerRoot(new RedirectRoot());
