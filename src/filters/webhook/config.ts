import { Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Config, JsonKind, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { Algorithm, Limit, Scope } from '@weir/filters-sdk/assembly/limits';
import { PlainScheme, Scheme, SlackScheme, StandardScheme, StripeScheme } from './schemes';

const NONE = new ArrayBuffer(0);
const SECOND: i64 = 1000;
const LEAST_SECRET = 16;
const STANDARD = 4;

export class WebhookConfig {
  scheme: Scheme = new SlackScheme();
  secrets: ArrayBuffer[] = [];
  /** By which the sender's clock and this one may differ, and for how long a message may be under way. */
  toleranceMs: i64 = 0;
  maxBytes: i32 = 0;
  /** Becomes `consumer.name`; empty: nothing does. */
  consumer: ArrayBuffer = NONE;
  /** Each message once. */
  replay: Limit = new Limit(1, 1000, 0, Algorithm.Gcra, Scope.Node);
  missing: Reply = refusal('a signature is required', 'webhook_missing');
  invalid: Reply = refusal('the signature is not that of the sender', 'webhook_invalid');
  expired: Reply = refusal('the signature is not valid at this time', 'webhook_expired');
  replayed: Reply = refusal('the message was here before', 'webhook_replayed');
  tooLarge: Reply = Reply.problem(
    413,
    'Content Too Large',
    'the body is larger than what is checked',
    'webhook_body_too_large',
  );
  unavailable: Reply = Reply.problem(
    503,
    'Service Unavailable',
    'whether a message is a repetition cannot be told now',
    'webhook_replay_unavailable',
  );

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const scheme = config.choice('scheme', ['plain', 'github', 'stripe', 'slack', 'standard']);
    this.readScheme(config, scheme);
    const secrets = config.items('secrets');
    if (secrets.length == 0) faultAt(config.value, '"secrets" must hold at least one');
    for (let i = 0; i < secrets.length; i++) {
      const item = secrets[i];
      const secret = item.kind == JsonKind.String ? secretOf(item.text, scheme) : null;
      if (secret === null) faultAt(item, 'expected a secret of 16 bytes at least');
      else this.secrets.push(secret);
    }
    this.toleranceMs = config.duration('tolerance', SECOND, 3600 * SECOND, 300 * SECOND);
    this.replay = new Limit(1, <u32>(2 * this.toleranceMs), 0, Algorithm.Gcra, Scope.Node);
    this.maxBytes = <i32>config.integer('maxBytes', 1, 16_777_216, 262_144);
    this.consumer = config.text('consumer', NONE);
    return config.end();
  }

  private readScheme(config: Config, scheme: i32): void {
    if (scheme == 0) {
      const name = fieldName(config.text('header'));
      if (name === null) config.fault('header', 'must be the name of a field that filters may change');
      const base64 = config.has('encoding') && config.choice('encoding', ['hex', 'base64']) == 1;
      const prefix = config.text('prefix', NONE);
      this.scheme = new PlainScheme(name === null ? NONE : name, prefix, base64);
    } else if (scheme == 1)
      this.scheme = new PlainScheme(utf8('x-hub-signature-256'), utf8('sha256='), false);
    else if (scheme == 2) this.scheme = new StripeScheme();
    else if (scheme == STANDARD) this.scheme = new StandardScheme();
  }
}

/** Standard Webhooks write secrets as `whsec_` and base64. */
function secretOf(text: ArrayBuffer, scheme: i32): ArrayBuffer | null {
  let secret = text;
  if (scheme == STANDARD && view(text).startsWith('whsec_')) {
    const bytes = fromBase64(view(text).slice(6));
    if (bytes === null) return null;
    secret = bytes.copy();
  }
  return secret.byteLength < LEAST_SECRET ? null : secret;
}

function refusal(text: string, details: string): Reply {
  return Reply.problem(401, 'Unauthorized', text, details);
}
