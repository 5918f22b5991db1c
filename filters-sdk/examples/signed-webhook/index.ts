// Signatures: passes on what a partner has signed, and nothing else.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestBody,
  requestHeaders,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { fromBase64 } from '@weir/filters-sdk/assembly/base64';
import { Config } from '@weir/filters-sdk/assembly/config';
import {
  configuration,
  derived,
  length,
  pattern,
  readConfiguration,
} from '@weir/filters-sdk/assembly/configuration';
import { verifySignature } from '@weir/filters-sdk/assembly/signatures';

const refused = Reply.problem(
  401,
  'Unauthorized',
  'the signature is not that of the partner',
  'bad_signature',
);

/** Passes on what a partner has signed. */
@configuration({
  title: 'signed-webhook',
  phase: 'authn',
  capabilities: ['headers', 'body', 'reply', 'foreign'],
})
class Settings {
  /** The partner's RSA or ECDSA key: DER (SubjectPublicKeyInfo) in base64. */
  @length(1, 8192) publicKey: ArrayBuffer;
  /** The field with the signature of the body, in base64. */
  @pattern('[a-z0-9-]+') header: ArrayBuffer = utf8('x-signature');
  @derived key: ArrayBuffer = new ArrayBuffer(0);

  check(config: Config): void {
    const key = fromBase64(view(this.publicKey));
    if (key === null) config.fault('publicKey', 'not base64');
    else this.key = key.copy();
  }
}

class WebhookRoot extends RootContext {
  settings: Settings = new Settings();

  onConfigure(text: ArrayBuffer): bool {
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    this.settings = settings;
    return true;
  }

  createStream(): StreamContext {
    return new Webhook(this);
  }
}

class Webhook extends StreamContext {
  /** Kept from the head: Envoy shows no fields while the body comes. */
  private signature: ArrayBuffer | null = null;

  constructor(private root: WebhookRoot) {
    super();
  }

  onRequestHeaders(_count: i32, endOfStream: bool): Action {
    const name = this.root.settings.header;
    const fields = requestHeaders.all();
    const signature = fields.nextNamed(name) ? fromBase64(fields.value) : null;
    // A signature of nothing proves nothing, and of two one would not count.
    if (endOfStream || signature === null || fields.nextNamed(name)) return refused.send();
    this.signature = signature.copy();
    return Action.Continue;
  }

  onRequestBody(_size: i32, endOfStream: bool): Action {
    // All of it, before any of it goes upstream.
    if (!endOfStream) return Action.Pause;
    return this.isSigned() ? Action.Continue : refused.send();
  }

  onRequestTrailers(_count: i32): Action {
    // Where there are trailers, no body callback has the end.
    return this.isSigned() ? Action.Continue : refused.send();
  }

  private isSigned(): bool {
    const signature = this.signature;
    if (signature === null) return false;
    return verifySignature('sha256', this.root.settings.key, signature, requestBody.read());
  }

  recycle(): bool {
    this.signature = null;
    return true;
  }
}

registerRoot(new WebhookRoot());
