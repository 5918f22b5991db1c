import { Bytes, Reply, property, propertyPath, view } from '@weir/filters-sdk/assembly';
import { Address, Block } from '@weir/filters-sdk/assembly/addresses';
import { withoutPort } from '@weir/filters-sdk/assembly/attributes';
import { Config, JsonKind, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Patterns } from './pattern';

const CLIENT = propertyPath('source.address');

const client = new Address();

/** Whoever says to be one of these has to come from there. */
export class Verified {
  userAgents: Patterns = new Patterns();
  private blocks: Block[] = [];

  static read(value: JsonValue): Verified {
    const config = Config.of(value);
    const verified = new Verified();
    if (config.required('userAgents') !== null)
      verified.userAgents = Patterns.read(config.items('userAgents'));
    if (config.required('addresses') !== null) {
      const addresses = config.items('addresses');
      for (let i = 0; i < addresses.length; i++) {
        const block = addresses[i].kind == JsonKind.String ? Block.read(view(addresses[i].text)) : null;
        if (block === null) faultAt(addresses[i], 'expected a range of addresses such as 192.0.2.0/24');
        else verified.blocks.push(block);
      }
    }
    config.end();
    return verified;
  }

  /** Whether the client's address is one of theirs; where it cannot be had, it is none. */
  isThere(): bool {
    const address = property(CLIENT);
    if (address === null || !client.read(withoutPort(address))) return false;
    for (let i = 0; i < this.blocks.length; i++) if (this.blocks[i].has(client, false)) return true;
    return false;
  }
}

export class BotsConfig {
  allow: Patterns = new Patterns();
  deny: Patterns = new Patterns();
  readonly verified: Verified[] = [];
  denyMissing: bool = false;
  private honeypots: ArrayBuffer[] = [];
  /** Null: the upstream has one, or none. */
  robots: Reply | null = null;
  denied: Reply = refusal('bots_denied');
  missing: Reply = refusal('bots_no_user_agent');
  impostor: Reply = refusal('bots_impostor');
  trapped: Reply = refusal('bots_honeypot');

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.allow = Patterns.read(config.items('allow'));
    this.deny = Patterns.read(config.items('deny'));
    const verified = config.items('verified');
    for (let i = 0; i < verified.length; i++) this.verified.push(Verified.read(verified[i]));
    this.denyMissing = config.choice('missingUserAgent', ['Allow', 'Deny']) == 1;
    const honeypots = config.items('honeypots');
    for (let i = 0; i < honeypots.length; i++) {
      const item = honeypots[i];
      if (item.kind != JsonKind.String || !view(item.text).startsWith('/')) faultAt(item, 'expected a path');
      else this.honeypots.push(item.text);
    }
    if (config.has('robots')) {
      const robots = new Reply(200, '', 'bots_robots');
      robots.body = config.text('robots');
      robots.headers.add('content-type', 'text/plain; charset=utf-8');
      robots.headers.add('cache-control', 'max-age=3600');
      this.robots = robots;
    }
    return config.end();
  }

  /** @param path without the query; one that is listed stands for what is below it as well */
  isHoneypot(path: Bytes): bool {
    for (let i = 0; i < this.honeypots.length; i++) {
      const known = view(this.honeypots[i]);
      if (!path.startsWith(known)) continue;
      const isWhole = path.length == known.length || known.at(known.length - 1) == 47;
      if (isWhole || path.at(known.length) == 47) return true;
    }
    return false;
  }
}

function refusal(details: string): Reply {
  return Reply.problem(403, 'Forbidden', 'this client is not served', details);
}
