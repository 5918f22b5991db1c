// Admits requests that somebody whose key it knows has signed (RFC 9421). See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  Reply,
  RootContext,
  StreamContext,
  now,
  registerRoot,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { isOver } from '@weir/filters-sdk/assembly/consumer';
import { removeSpellingsOf } from '@weir/filters-sdk/assembly/fields';
import { take, wait } from '@weir/filters-sdk/assembly/wait';
import { LimitState } from '@weir/filters-sdk/assembly/limits';
import { HmacConfig } from './config';
import { isDigestRight } from './content-digest';
import { Key } from './keys';
import { signatureBase } from './signature-base';
import { SignatureInput, findSignature, readInputs } from './signature-input';

/** Signatures that a request may have. */
const MOST_SIGNATURES = 8;

const inputField = new ByteWriter(512);
const signatureField = new ByteWriter(512);
const nonce = new ByteWriter(128);

class HmacRoot extends RootContext {
  readonly config: HmacConfig = new HmacConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Hmac(this);
  }
}

class Hmac extends StreamContext {
  private size: i32 = 0;
  private decided: bool = false;

  constructor(private root: HmacRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    if (this.root.config.maxBody == 0 || endOfStream) return this.decide(false);
    return Action.Pause;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.decided) return Action.Continue;
    this.size = size;
    if (size > this.root.config.maxBody) return this.root.config.tooLarge.send();
    return endOfStream ? this.decide(true) : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    return this.decided ? Action.Continue : this.decide(true);
  }

  recycle(): bool {
    this.size = 0;
    this.decided = false;
    return true;
  }

  /** @param withBody the whole body is there, and its digest must have been signed */
  private decide(withBody: bool): Action {
    this.decided = true;
    const config = this.root.config;
    if (!join('signature-input', inputField) || !join('signature', signatureField))
      return config.missing.send();
    const inputs = readInputs(inputField.view());
    if (inputs === null || inputs.length > MOST_SIGNATURES) return config.invalid.send();
    let late = false;
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i];
      const key = this.keyFor(input, withBody);
      if (key === null || !isSigned(input, key)) continue;
      // Only whoever has a right signature learns that its time is over.
      if (this.isInTime(input) && !isOver(key.notAfter)) return this.admit(input, key, withBody);
      late = true;
    }
    return late ? config.expired.send() : config.invalid.send();
  }

  /** Whose signature it says to be; null where it does not count whoever made it. */
  private keyFor(input: SignatureInput, withBody: bool): Key | null {
    const config = this.root.config;
    if (config.label.byteLength > 0 && !input.label.equals(config.label)) return null;
    if (config.tag.byteLength > 0 && (input.tag === null || !input.tag!.equals(config.tag))) return null;
    if (config.nonceRequired && (input.nonce === null || input.nonce!.length == 0)) return null;
    if (input.created < 0 || input.keyId === null) return null;
    for (let i = 0; i < config.components.length; i++) if (!input.covers(config.components[i])) return null;
    if (withBody && !input.covers('content-digest')) return null;
    for (let i = 0; i < config.keys.length; i++) {
      const key = config.keys[i];
      if (input.keyId!.equals(key.id)) return key.isFor(input.algorithm) ? key : null;
    }
    return null;
  }

  private isInTime(input: SignatureInput): bool {
    const config = this.root.config;
    const time = now() / 1_000_000;
    const created = input.created * 1000;
    if (created > time + config.skewMs || created + config.maxAgeMs + config.skewMs < time) return false;
    return input.expires < 0 || input.expires * 1000 + config.skewMs >= time;
  }

  private admit(input: SignatureInput, key: Key, withBody: bool): Action {
    const config = this.root.config;
    // A digest that is signed and not looked at would be believed by who comes behind.
    const digested = withBody || (config.maxBody > 0 && input.covers('content-digest'));
    if (digested && !isDigestRight(this.size)) return config.digest.send();
    if (input.nonce !== null && input.nonce!.length > 0) {
      nonce.clear().add('hmac-nonce').addByte(0).add(key.id).addByte(0).add(input.nonce!);
      const refusal = this.refusalOfNonce(nonce.view());
      if (refusal !== null) return refusal.send();
    }
    key.consumer.announce();
    const header = config.consumerHeader;
    if (header.byteLength > 0) {
      removeSpellingsOf(header);
      requestHeaders.set(header, key.consumer.name);
    }
    return Action.Continue;
  }

  private refusalOfNonce(value: Bytes): Reply | null {
    const config = this.root.config;
    const answer = wait(take(config.replay, value, 1));
    if (answer.allowed) return null;
    return answer.state == LimitState.Denied ? config.replayed : config.unavailable;
  }
}

function isSigned(input: SignatureInput, key: Key): bool {
  const signature = findSignature(signatureField.view(), input.label);
  if (signature === null) return false;
  const base = signatureBase(input);
  return base !== null && key.verify(base, signature);
}

/** All values of a field as one list. @returns whether there are any */
function join(name: string, into: ByteWriter): bool {
  into.clear();
  const fields = requestHeaders.all();
  while (fields.nextNamed(name)) {
    if (into.length > 0) into.add(', ');
    into.add(fields.value.trim());
  }
  return into.length > 0;
}

registerRoot(new HmacRoot());
