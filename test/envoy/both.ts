import { expect } from 'vitest';
import { observe, WeirSubject, type Deployment, type Exchange, type Seen } from '../languages/subject.ts';
import { differencesOf } from './compare.ts';
import { allowedBy, type Allowed } from './differences.ts';
import { EnvoySubject } from './envoy.ts';

/** The same filters in weir and in Envoy, each with upstreams of its own. */
export class Both {
  readonly weir: WeirSubject;
  readonly envoy: EnvoySubject;
  /** The meant differences that were seen. */
  readonly used = new Set<Allowed>();

  private constructor(weir: WeirSubject, envoy: EnvoySubject) {
    this.weir = weir;
    this.envoy = envoy;
  }

  static async start(deployment: Deployment): Promise<Both> {
    const weir = await WeirSubject.start(deployment);
    return new Both(weir, await EnvoySubject.start(deployment));
  }

  /** Sends one request to both, where what they do is not to be the same to the letter. @returns what was seen of each */
  async each(exchange: Exchange): Promise<[weir: Seen, envoy: Seen]> {
    return [await observe(this.weir, exchange), await observe(this.envoy, exchange)];
  }

  /** Sends one request to both. @returns what was seen of weir, which is what was seen of Envoy but for meant differences */
  async compare(exchange: Exchange): Promise<Seen> {
    const [weir, envoy] = await this.each(exchange);
    const unexplained = differencesOf(weir, envoy).filter((difference) => {
      const allowed = allowedBy(difference, exchange.role);
      if (allowed !== undefined) this.used.add(allowed);
      return allowed === undefined;
    });
    expect(unexplained, `Envoy said last:\n${this.envoy.lastWords()}`).toEqual([]);
    return weir;
  }
}
