import { CallResponse, PairsWriter, httpCall, logWarn, now } from '@weir/filters-sdk/assembly';
import { HttpUrl } from '@weir/filters-sdk/assembly/url';
import { Key, readKeys } from './keys';

/** A set that is larger is refused. */
const MOST_BYTES = 256 * 1024;
/** A token that names a key which is not known has the set fetched again, at most this often. */
const REFETCH_MS = 30_000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** Milliseconds since 1970. */
export function nowMs(): i64 {
  return now() / 1_000_000;
}

/** Keys that a provider publishes: fetched, kept, fetched again, and used a while longer where that fails. */
export class RemoteKeys {
  /** Empty: there are none to use. */
  keys: Key[] = [];
  /** What the keys were read from, to tell whether another answer says something else. */
  private text: ArrayBuffer = new ArrayBuffer(0);
  private fetchedAt: i64 = 0;
  private triedAt: i64 = 0;
  /** When a token had the set fetched out of its turn. */
  private askedAt: i64 = 0;
  private failures: i32 = 0;
  /** Of the call under way; 0: none. */
  private call: u32 = 0;
  private wanted: bool = true;
  private headers: PairsWriter = new PairsWriter();

  constructor(
    private upstream: ArrayBuffer,
    url: HttpUrl,
    private timeoutMs: u32,
    private cacheMs: i64,
    private staleMs: i64,
  ) {
    this.headers.add(':method', 'GET').add(':scheme', url.scheme);
    this.headers.add(':authority', url.authority).add(':path', url.path);
    this.headers.add('accept', 'application/json, application/jwk-set+json');
  }

  /** Whether an answer is awaited, or a fetch is about to begin. */
  get pending(): bool {
    return this.call != 0 || this.wanted;
  }

  /** Whether the last fetch failed, so that what is known may not be all there is. */
  get failing(): bool {
    return this.failures > 0;
  }

  /** A token names a key that is not in the set. @returns false where one did so only just now */
  wantAgain(time: i64): bool {
    if (this.pending) return true;
    if (time - this.askedAt < REFETCH_MS) return false;
    this.askedAt = time;
    this.wanted = true;
    return true;
  }

  /** Drops keys that are too old, and fetches where it is time to. @returns whether keys were dropped */
  tick(time: i64): bool {
    let dropped = false;
    if (this.keys.length > 0 && time > this.fetchedAt + this.cacheMs + this.staleMs) {
      this.keys = [];
      this.text = new ArrayBuffer(0);
      dropped = true;
    }
    if (this.call == 0 && (this.wanted || this.isDue(time))) this.fetch(time);
    return dropped;
  }

  private isDue(time: i64): bool {
    if (this.failures == 0) return time >= this.fetchedAt + this.cacheMs;
    const wait = min<i64>(FIRST_RETRY_MS << min(this.failures - 1, 5), LAST_RETRY_MS);
    return time >= this.triedAt + wait;
  }

  private fetch(time: i64): void {
    this.wanted = false;
    this.triedAt = time;
    this.call = httpCall<ArrayBuffer, string>(this.upstream, this.headers, '', this.timeoutMs);
    if (this.call == 0) this.fail('the call was refused');
  }

  isAnswer(response: CallResponse): bool {
    return this.call != 0 && response.token == this.call;
  }

  /** @returns whether there are other keys now */
  take(response: CallResponse, time: i64): bool {
    this.call = 0;
    if (response.failed || response.status != 200) {
      this.fail('status ' + response.status.toString());
      return false;
    }
    const body = response.body;
    const keys: Key[] | null = body.length > MOST_BYTES ? null : readKeys(body);
    if (keys === null || keys.length == 0) {
      this.fail('no JWK Set with keys to check signatures');
      return false;
    }
    this.failures = 0;
    this.fetchedAt = time;
    if (body.equals(this.text)) return false;
    this.text = body.copy();
    this.keys = keys;
    return true;
  }

  private fail(why: string): void {
    this.failures++;
    logWarn('fetching keys: ' + why);
  }
}
