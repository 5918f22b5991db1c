// Decides by User-Agent, address and path which programs are served. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { BotsConfig } from './config';

const METHOD = utf8(':method');
const GET = utf8('GET');
const HEAD = utf8('HEAD');
const PATH = utf8(':path');
const ROBOTS = utf8('/robots.txt');
const USER_AGENT = utf8('user-agent');

class BotsRoot extends RootContext {
  private stream: Bots = new Bots(new BotsConfig());

  onConfigure(configuration: ArrayBuffer): bool {
    const config = new BotsConfig();
    this.stream = new Bots(config);
    return config.read(configuration);
  }

  /** One object serves all streams: it keeps nothing of them. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class Bots extends StreamContext {
  constructor(private config: BotsConfig) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    const path = pathOfRequest();
    const robots = config.robots;
    if (robots !== null && path.equals(ROBOTS) && isRead()) return robots.send();
    if (config.isHoneypot(path)) return config.trapped.send();
    let agents = 0;
    let allowed = false;
    let denied = false;
    const fields = requestHeaders.all();
    while (fields.nextNamed(USER_AGENT)) {
      const agent = Bytes.of(fields.value.start, fields.value.length);
      if (agent.length == 0) continue;
      agents++;
      for (let i = 0; i < config.verified.length; i++) {
        const known = config.verified[i];
        if (!known.userAgents.fit(agent)) continue;
        if (!known.isThere()) return config.impostor.send();
        allowed = true;
      }
      if (config.allow.fit(agent)) allowed = true;
      if (config.deny.fit(agent)) denied = true;
    }
    if (agents == 0) return config.denyMissing ? config.missing.send() : Action.Continue;
    // Of several, who knows which one somebody behind goes by.
    if (agents > 1) allowed = false;
    return denied && !allowed ? config.denied.send() : Action.Continue;
  }
}

function pathOfRequest(): Bytes {
  const target = requestHeaders.get(PATH);
  if (target === null) return Bytes.of(0, 0);
  const mark = target.indexOf(63);
  return mark < 0 ? target : target.slice(0, mark);
}

function isRead(): bool {
  const method = requestHeaders.get(METHOD);
  return method !== null && (method.equals(GET) || method.equals(HEAD));
}

registerRoot(new BotsRoot());
