// Puts the fields on answers that keep browsers safe. See README.md.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  RootContext,
  StreamContext,
  registerRoot,
  requestHeaders,
  responseHeaders,
  setProperty,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { toBase64 } from '@weir/filters-sdk/assembly/base64';
import { removeSpellingsOf } from '@weir/filters-sdk/assembly/fields';
import { randomBytes } from '@weir/filters-sdk/assembly/sealing';
import { SecurityConfig } from './config';
import { TRANSPORT_SECURITY } from './answer-field';

const NO_NONCE = new ArrayBuffer(0);
const NONCE_PROPERTY = utf8('csp.nonce');
/** 128 bits, as Content Security Policy Level 3 asks of a nonce (section 7.1). */
const NONCE_BYTES = 16;
const SCHEME = utf8(':scheme');
const HTTPS = utf8('https');

class SecurityRoot extends RootContext {
  readonly config: SecurityConfig = new SecurityConfig();

  onConfigure(configuration: ArrayBuffer): bool {
    return this.config.read(configuration);
  }

  createStream(): StreamContext {
    return new SecurityHeaders(this.config);
  }
}

class SecurityHeaders extends StreamContext {
  private nonce: ArrayBuffer = NO_NONCE;
  private secure: bool = false;

  constructor(private config: SecurityConfig) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    const scheme = requestHeaders.get(SCHEME);
    this.secure = scheme !== null && scheme.equals(HTTPS);
    if (!config.usesNonce) return Action.Continue;
    const nonce = toBase64(view(randomBytes(NONCE_BYTES)));
    this.nonce = nonce.copy();
    setProperty(NONCE_PROPERTY, nonce);
    const header = config.nonceHeader;
    if (header.byteLength > 0) {
      removeSpellingsOf(header);
      requestHeaders.set(header, nonce);
    }
    return Action.Continue;
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    const config = this.config;
    for (let i = 0; i < config.remove.length; i++) responseHeaders.remove(unchecked(config.remove[i]));
    const fields = config.fields;
    for (let i = 0; i < fields.length; i++) {
      const field = unchecked(fields[i]);
      // Browsers must not believe it, and servers not say it, without TLS (RFC 6797, section 7.2).
      if (field.name == TRANSPORT_SECURITY && !this.secure && !config.alwaysSecure) continue;
      if (!config.replaces && responseHeaders.has(field.name)) continue;
      field.set(this.nonce);
    }
    return Action.Continue;
  }

  recycle(): bool {
    this.nonce = NO_NONCE;
    return true;
  }
}

registerRoot(new SecurityRoot());
