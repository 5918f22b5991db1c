// Waiting: asks two services at the same time, and goes on when both have answered, written one line below the other.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  PairsWriter,
  RootContext,
  StreamContext,
  registerRoot,
  replyWith,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { configuration, length, readConfiguration } from '@weir/filters-sdk/assembly/configuration';
import { encodePart } from '@weir/filters-sdk/assembly/parts';
import { HttpAnswer, call, wait, waitAll } from '@weir/filters-sdk/assembly/wait';

const USER = utf8('x-user');
const NAME = utf8('x-user-name');
const PLAN = utf8('x-plan');

const head = new PairsWriter();
const segment = new ByteWriter(128);

/** Tells the upstream who the user is and what they pay for. */
@configuration({ title: 'enrich', phase: 'transform', capabilities: ['headers', 'reply', 'httpCall'] })
class Settings {
  /** Who answers `/USER` with the user's name in `x-name`, by its name in `callouts`. */
  @length(1, 253) users: ArrayBuffer;
  /** Who answers `/USER` with the user's plan in `x-plan`. */
  @length(1, 253) plans: ArrayBuffer;
}

class EnrichRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new Enriched(this);
  }
}

class Enriched extends StreamContext {
  constructor(private root: EnrichRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    requestHeaders.remove(NAME);
    requestHeaders.remove(PLAN);
    const user = requestHeaders.get(USER);
    if (user === null) return Action.Continue;

    const settings = this.root.settings;
    // One segment of a path, whatever is in it.
    encodePart(user, segment.clear().add('/'));
    const path = segment.copy();
    const profile = ask(settings.users, path);
    const plan = ask(settings.plans, path);
    // Both are under way. The request is held meanwhile, and others are served.
    waitAll([profile, plan]);

    const name = profile.header('x-name');
    if (profile.status != 200 || name === null) return replyWith(502, 'who is it?\n');
    requestHeaders.set(NAME, name);
    // Without the second one it goes on, once tried again.
    const known = plan.status == 200 ? plan : wait(ask(settings.plans, path));
    const level = known.header('x-plan');
    requestHeaders.set(PLAN, level === null ? 'free' : level.toString());
    return Action.Continue;
  }
}

function ask(upstream: ArrayBuffer, path: ArrayBuffer): HttpAnswer {
  head.clear().add(':method', 'GET').add(':path', path).add(':authority', upstream);
  return call(upstream, head, '', 500);
}

registerRoot(new EnrichRoot());
