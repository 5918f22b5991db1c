import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { observe, WeirSubject, type Deployment, type Exchange, type Seen } from '../languages/subject.ts';
import { differencesOf, type Difference } from './compare.ts';
import { allowedBy, type Allowed } from './differences.ts';
import { EnvoySubject } from './envoy.ts';

/** How late a line of the log may be read. */
const LATE_MS = 5000;

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
    const from = [this.weir.logs().length, this.envoy.logs().length] as const;
    let [weir, envoy] = await this.each(exchange);
    let unexplained = this.#unexplained(weir, envoy, exchange);
    // Either may have answered before its last line could be read.
    for (const until = performance.now() + LATE_MS; unexplained.length > 0 && performance.now() < until;) {
      await sleep(10);
      weir = { ...weir, logs: this.weir.logs().slice(from[0]) };
      envoy = { ...envoy, logs: this.envoy.logs().slice(from[1]) };
      unexplained = this.#unexplained(weir, envoy, exchange);
    }
    expect(unexplained, `Envoy said last:\n${this.envoy.lastWords()}`).toEqual([]);
    return weir;
  }

  #unexplained(weir: Seen, envoy: Seen, { role }: Exchange): Difference[] {
    return differencesOf(weir, envoy).filter((difference) => {
      const allowed = allowedBy(difference, role);
      if (allowed !== undefined) this.used.add(allowed);
      return allowed === undefined;
    });
  }
}
