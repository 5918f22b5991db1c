// Admits requests with a JSON Web Token that an issuer it knows has signed. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  CallResponse,
  Pairs,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  resumeRequest,
  setProperty,
  setTickPeriod,
  utf8,
} from '@weir/filters-sdk/assembly';
import { proxy_set_effective_context } from '@weir/filters-sdk/assembly/env';
import { isSpellingOf } from '@weir/filters-sdk/assembly/fields';
import { Parts } from '@weir/filters-sdk/assembly/parts';
import { TokenCache } from './cache';
import { JwtConfig, Source } from './config';
import { nowMs } from './remote-keys';
import { Verdict, Verified, providerOf, verified, verifyToken } from './token';

const COOKIE = utf8('cookie');
const CONSUMER_NAME = utf8('consumer.name');
const PAYLOAD = utf8('jwt.payload');
const TICK_MS = 1000;
/** A check takes up to some milliseconds on a machine that is busy. */
const DECIDED_AT_ONCE = 2;

const cookies = new Parts();

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
      if (proxy_set_effective_context(stream.number) == 0) stream.decideAgain();
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
    const fields = requestHeaders.all();
    const token = this.findToken(fields);
    if (token === null) {
      if (this.several) return config.invalid.send();
      if (config.required) return config.missing.send();
      this.removeOwned(fields);
      return Action.Continue;
    }
    const time = nowMs();
    const known = this.root.cache.find(token);
    if (known !== null && time >= known.begin && time < known.end) return this.admit(fields, known);

    const verdict = verifyToken(token, config.providers, time);
    if (verdict == Verdict.Valid) {
      this.root.cache.add(token, verified!);
      return this.admit(fields, verified!);
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

  /** More than one token: which one counts would be a guess. */
  private several: bool = false;
  /** Where the token is that was found in this callback; 0 for none. */
  private start: usize = 0;
  private length: i32 = 0;

  /** Every value of every source counts. Null with `several` where they are more than one. */
  private findToken(fields: Pairs): Bytes | null {
    this.several = false;
    this.start = 0;
    const sources = this.root.config.sources;
    while (fields.next()) {
      for (let i = 0; i < sources.length; i++) this.look(unchecked(sources[i]), fields);
    }
    return this.several || this.start == 0 ? null : Bytes.of(this.start, this.length);
  }

  private look(source: Source, fields: Pairs): void {
    if (!source.isCookie) {
      if (fields.name.equals(source.name)) this.lookInHeader(source, fields.value);
      return;
    }
    if (!fields.name.equals(COOKIE)) return;
    cookies.cookies(fields.value);
    while (cookies.next()) if (cookies.name.equals(source.name)) this.take(cookies.value);
  }

  private lookInHeader(source: Source, value: Bytes): void {
    const length = source.scheme.byteLength;
    if (length > 0) {
      // Another scheme is another filter's business.
      if (value.length <= length || value.at(length) != 32) return;
      if (!value.slice(0, length).equalsIgnoreCase(source.scheme)) return;
      value = value.slice(length + 1).trim();
    }
    this.take(value);
  }

  private take(token: Bytes): void {
    if (this.start != 0) this.several = true;
    this.start = token.start;
    this.length = token.length;
  }

  private admit(fields: Pairs, known: Verified): Action {
    const config = this.root.config;
    const consumer = known.consumer;
    if (consumer === null && config.needsConsumer) return config.unknown.send();
    this.removeOwned(fields);
    const claims = known.provider.claims;
    for (let i = 0; i < claims.length; i++) {
      const value = known.values[i];
      if (value !== null) requestHeaders.set<ArrayBuffer, ArrayBuffer>(claims[i].header, value);
    }
    setProperty(PAYLOAD, known.payload);
    const name = known.name;
    if (consumer !== null) consumer.announce();
    else if (name !== null) setProperty(CONSUMER_NAME, name);
    if (config.strip) {
      const sources = config.sources;
      for (let i = 0; i < sources.length; i++)
        if (!sources[i].isCookie) requestHeaders.remove(sources[i].name);
    }
    return Action.Continue;
  }

  /** What came from outside under the names that the filter answers for, in every spelling that servers may take for them. */
  private removeOwned(fields: Pairs): void {
    const owned = this.root.config.owned;
    if (owned.length == 0) return;
    fields.rewind();
    while (fields.next()) {
      for (let i = 0; i < owned.length; i++) {
        if (isSpellingOf(fields.name, unchecked(owned[i]))) requestHeaders.remove(fields.name);
      }
    }
  }
}

registerRoot(new JwtRoot());
