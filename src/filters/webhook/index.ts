// Admits webhooks that their sender has signed, by the schemes in use. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  RootContext,
  StreamContext,
  now,
  registerRoot,
  requestBody,
} from '@weir/filters-sdk/assembly';
import { announceConsumer } from '@weir/filters-sdk/assembly/consumer';
import { LimitState } from '@weir/filters-sdk/assembly/limits';
import { take, wait } from '@weir/filters-sdk/assembly/wait';
import { hmacSha256 } from '../hmac/mac';
import { WebhookConfig } from './config';
import { Claim } from './schemes';

const SIZE = 32;

const claim = new Claim();
const signed = new ByteWriter(4096);
const message = new ByteWriter(128);

class WebhookRoot extends RootContext {
  readonly config: WebhookConfig = new WebhookConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new Webhook(this);
  }
}

class Webhook extends StreamContext {
  private size: i32 = 0;
  private decided: bool = false;

  constructor(private root: WebhookRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    // What has no signature is refused before its body comes.
    if (!this.root.config.scheme.read(claim.clear())) return this.root.config.missing.send();
    return endOfStream ? this.decide() : Action.Pause;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (this.decided) return Action.Continue;
    this.size = size;
    if (size > this.root.config.maxBytes) return this.root.config.tooLarge.send();
    return endOfStream ? this.decide() : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    return this.decided ? Action.Continue : this.decide();
  }

  recycle(): bool {
    this.size = 0;
    this.decided = false;
    return true;
  }

  /** The whole body is there. */
  private decide(): Action {
    this.decided = true;
    const config = this.root.config;
    if (!config.scheme.read(claim.clear())) return config.missing.send();
    signed.clear().add(claim.before.view());
    if (this.size > 0) signed.add(requestBody.read(0, this.size));
    if (!this.isSigned()) return config.invalid.send();
    if (claim.time >= 0) {
      const late = claim.time * 1000 - now() / 1_000_000;
      // Only whoever has a right signature learns that its time is over.
      if (late > config.toleranceMs || -late > config.toleranceMs) return config.expired.send();
      const answer = wait(take(config.replay, message.view(), 1));
      if (!answer.allowed)
        return answer.state == LimitState.Denied ? config.replayed.send() : config.unavailable.send();
    }
    if (config.consumer.byteLength > 0) announceConsumer(config.consumer);
    return Action.Continue;
  }

  /** By one of the secrets. What is known of them takes as long to compare as what is not. */
  private isSigned(): bool {
    const secrets = this.root.config.secrets;
    const signatures = claim.signatures.view();
    let right = false;
    for (let i = 0; i < secrets.length; i++) {
      const mac = hmacSha256(secrets[i], signed.view());
      // Known again by what was signed, always with the same secret: a sender that tries again signs another time.
      if (i == 0) message.clear().add('webhook').addByte(0).add(mac);
      for (let at = 0; at < signatures.length; at += SIZE) {
        let differs = 0;
        for (let k = 0; k < SIZE; k++) differs |= mac.at(k) ^ signatures.at(at + k);
        if (differs == 0) right = true;
      }
    }
    return right;
  }
}

registerRoot(new WebhookRoot());
