// Admits requests with a user name and password that it knows (RFC 7617). See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Bytes,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  resumeRequest,
  utf8,
} from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Consumer, isOver } from '@weir/filters-sdk/assembly/consumer';
import { credentialOf, removeSpellingsOf } from '@weir/filters-sdk/assembly/fields';
import { PasswordState, verifyPassword } from '@weir/filters-sdk/assembly/passwords';
import { BasicConfig } from './config';
import { Credentials } from './credentials';
import { User, isDigestOf } from './users';

const AUTHORIZATION = utf8('authorization');
const SCHEME = utf8('basic');
/** What a user that is not known is compared with, for the time that it takes. */
const NOBODY = new User(new Consumer(AUTHORIZATION), 0, null, new ArrayBuffer(32));

class BasicRoot extends RootContext {
  readonly config: BasicConfig = new BasicConfig();
  readonly credentials: Credentials = new Credentials();

  onConfigure(configuration: ArrayBuffer): bool {
    this.credentials.clear();
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Basic(this);
  }
}

class Basic extends StreamContext {
  /** While the host looks at the password: what was given, whole, and the first of the user's hashes that are left. */
  private given: ArrayBuffer | null = null;
  private next: User | null = null;

  constructor(private root: BasicRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.root.config;
    const fields = requestHeaders.all();
    let token = changetype<Bytes>(0);
    let several = false;
    while (fields.next()) {
      if (!fields.name.equals(AUTHORIZATION)) continue;
      const given = credentialOf(fields.value, SCHEME);
      // Another scheme is another filter's business.
      if (given === null) continue;
      if (changetype<usize>(token) != 0) several = true;
      token = given;
    }
    if (several) return config.invalid.send();
    if (changetype<usize>(token) == 0) return config.missing.send();
    return this.decide(token);
  }

  private decide(token: Bytes): Action {
    const config = this.root.config;
    if (token.length > 2048) return config.invalid.send();
    const given = fromBase64(token);
    if (given === null || hasControls(given)) return config.invalid.send();
    const colon = given.indexOf(58);
    if (colon < 0) return config.invalid.send();

    const known = this.root.credentials.find(given);
    if (known !== null) return isOver(known.notAfter) ? config.expired.send() : this.admit(known);
    const password = given.slice(colon + 1);
    const user = config.users.find(given.slice(0, colon));
    // What is compared here costs nothing that could tell anything: digests of random passwords.
    const one = withDigest(user, password);
    if (one !== null) {
      if (isOver(one.notAfter)) return config.expired.send();
      this.root.credentials.add(given, one);
      return this.admit(one);
    }
    if (config.users.decoy === null) return config.invalid.send();
    // Somebody who is not known, or has no hash, costs as much as a wrong password.
    this.next = hashed(user);
    return this.ask(given, colon);
  }

  /** Asks the host about the next hash. */
  private ask(given: Bytes, colon: i32): Action {
    const config = this.root.config;
    const user = this.next;
    const hash = user === null ? config.users.decoy! : user.hash!;
    const kept = given.copy();
    switch (verifyPassword(hash, given.slice(colon + 1))) {
      case PasswordState.Pending:
        this.given = kept;
        return Action.Pause;
      case PasswordState.Busy:
        return config.busy.send();
      default:
        return config.unavailable.send();
    }
  }

  onPasswordVerified(right: bool): void {
    const config = this.root.config;
    const given = this.given;
    const user = this.next;
    this.given = null;
    this.next = null;
    if (given === null) return;
    const bytes = Bytes.of(changetype<usize>(given), given.byteLength);
    if (right && user !== null) {
      if (isOver(user.notAfter)) {
        config.expired.send();
        return;
      }
      this.root.credentials.add(bytes, user);
      if (this.admit(user) == Action.Continue) resumeRequest();
      return;
    }
    if (user !== null) this.next = hashed(user.next);
    if (this.next === null) config.invalid.send();
    else this.ask(bytes, bytes.indexOf(58));
  }

  private admit(user: User): Action {
    const config = this.root.config;
    const header = config.consumerHeader;
    if (header.byteLength > 0) {
      removeSpellingsOf(header);
      requestHeaders.set(header, user.consumer.name);
    }
    if (config.strip) requestHeaders.remove(AUTHORIZATION);
    user.consumer.announce();
    return Action.Continue;
  }

  recycle(): bool {
    this.given = null;
    this.next = null;
    return true;
  }
}

/** The user's entry whose digest the password has; null where none of them has it. */
function withDigest(from: User | null, password: Bytes): User | null {
  let user = from;
  if (user === null) isDigestOf(NOBODY, password);
  while (user !== null) {
    if (user.hash === null && isDigestOf(user, password)) return user;
    user = user.next;
  }
  return null;
}

/** The first of a user's entries, from this one on, that has a hash. */
function hashed(from: User | null): User | null {
  let user = from;
  while (user !== null && user.hash === null) user = user.next;
  return user;
}

/** Neither names nor passwords have control characters (RFC 7617, section 2). */
function hasControls(text: Bytes): bool {
  for (let i = 0; i < text.length; i++) if (text.at(i) < 32 || text.at(i) == 127) return true;
  return false;
}

registerRoot(new BasicRoot());
