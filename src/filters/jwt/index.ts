// Admits requests with a JSON Web Token that an issuer it knows has signed. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  CallResponse,
  RootContext,
  StreamContext,
  actAs,
  registerRoot,
  requestHeaders,
  resumeRequest,
  setProperty,
  setTickPeriod,
  utf8,
} from '@weir/filters-sdk/assembly';
import { announceConsumer } from '@weir/filters-sdk/assembly/consumer';
import { removeSpellings } from '@weir/filters-sdk/assembly/fields';
import { TokenCache } from './cache';
import { JwtConfig } from './config';
import { nowMs } from './remote-keys';
import { Verdict, Verified, providerOf, verified, verifyToken } from './token';

const PAYLOAD = utf8('jwt.payload');
const TICK_MS = 1000;
/** A check takes up to some milliseconds on a machine that is busy. */
const DECIDED_AT_ONCE = 2;

class JwtRoot extends RootContext {
  readonly config: JwtConfig = new JwtConfig();
  readonly cache: TokenCache = new TokenCache();
  /** Streams that wait for keys. */
  private waiting: Jwt[] = [];

  onConfigure(configuration: ArrayBuffer): bool {
    if (!this.config.read(configuration)) return false;
    if (this.isRemote) setTickPeriod(1);
    return true;
  }

  private get isRemote(): bool {
    const providers = this.config.providers;
    for (let i = 0; i < providers.length; i++) if (providers[i].remote !== null) return true;
    return false;
  }

  createStream(): StreamContext {
    return new Jwt(this);
  }

  wait(stream: Jwt): void {
    this.waiting.push(stream);
    // The fetch is the root's: it must not end with this stream.
    setTickPeriod(1);
  }

  forget(stream: Jwt): void {
    const at = this.waiting.indexOf(stream);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  onTick(): void {
    setTickPeriod(TICK_MS);
    const time = nowMs();
    const providers = this.config.providers;
    for (let i = 0; i < providers.length; i++) {
      const remote = providers[i].remote;
      if (remote === null || !remote.tick(time)) continue;
      providers[i].keys = remote.keys;
      this.cache.clear();
    }
    this.wake();
  }

  onCallResponse(response: CallResponse): void {
    const providers = this.config.providers;
    for (let i = 0; i < providers.length; i++) {
      const remote = providers[i].remote;
      if (remote === null || !remote.isAnswer(response)) continue;
      if (remote.take(response, nowMs())) {
        providers[i].keys = remote.keys;
        // A token of a key that is no longer published is not right any more.
        this.cache.clear();
      }
    }
    this.wake();
  }

  /**
   * Streams whose provider is not asked any more are decided: a few at a time, since each costs the check of a signature and
   * one callback has a budget. The next tick has the others.
   */
  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    let decided = 0;
    for (let i = 0; i < waiting.length; i++) {
      const stream = waiting[i];
      if (decided == DECIDED_AT_ONCE || stream.stillWaits) {
        this.waiting.push(stream);
        continue;
      }
      decided++;
      if (actAs(stream.number)) stream.decideAgain();
    }
    if (decided == DECIDED_AT_ONCE && this.waiting.length > 0) setTickPeriod(1);
  }
}

class Jwt extends StreamContext {
  /** The host's number for it, while it waits. */
  number: u32 = 0;
  private waitsFor: i32 = -1;

  constructor(private root: JwtRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    return this.decide(true);
  }

  get stillWaits(): bool {
    if (this.waitsFor < 0) return false;
    const remote = this.root.config.providers[this.waitsFor].remote;
    return remote !== null && remote.pending;
  }

  decideAgain(): void {
    this.waitsFor = -1;
    if (this.decide(false) == Action.Continue) resumeRequest();
  }

  onDone(): void {
    if (this.waitsFor >= 0) this.root.forget(this);
  }

  recycle(): bool {
    this.waitsFor = -1;
    return true;
  }

  /** @param mayWait whether keys may be fetched for this request still */
  private decide(mayWait: bool): Action {
    const config = this.root.config;
    const token = config.sources.find(requestHeaders.all());
    if (token === null) {
      if (config.sources.several) return config.invalid.send();
      if (config.required) return config.missing.send();
      removeSpellings(config.owned);
      return Action.Continue;
    }
    const time = nowMs();
    const known = this.root.cache.find(token);
    if (known !== null && time >= known.begin && time < known.end) return this.admit(known);

    const verdict = verifyToken(token, config.providers, time);
    if (verdict == Verdict.Valid) {
      this.root.cache.add(token, verified!);
      return this.admit(verified!);
    }
    if (verdict == Verdict.NoKeys || verdict == Verdict.UnknownKey) {
      const provider = providerOf!;
      const remote = provider.remote;
      if (remote !== null && mayWait && remote.wantAgain(time)) {
        this.waitsFor = config.providers.indexOf(provider);
        this.number = this.id;
        this.root.wait(this);
        return Action.Pause;
      }
      if (verdict == Verdict.NoKeys || (remote !== null && remote.failing)) return config.unavailable.send();
    }
    return verdict == Verdict.Expired ? config.expired.send() : config.invalid.send();
  }

  private admit(known: Verified): Action {
    const config = this.root.config;
    const consumer = known.consumer;
    if (consumer === null && config.needsConsumer) return config.unknown.send();
    removeSpellings(config.owned);
    const claims = known.provider.claims;
    for (let i = 0; i < claims.length; i++) {
      const value = known.values[i];
      if (value !== null) requestHeaders.set<ArrayBuffer, ArrayBuffer>(claims[i].header, value);
    }
    setProperty(PAYLOAD, known.payload);
    const name = known.name;
    if (consumer !== null) consumer.announce();
    else if (name !== null) announceConsumer(name);
    if (config.strip) config.sources.strip();
    return Action.Continue;
  }
}

registerRoot(new JwtRoot());
