import { ByteWriter, Bytes, view } from '@weir/filters-sdk/assembly';
import { addBase64Url, decodeBase64Url } from '@weir/filters-sdk/assembly/base64url';
import { Fields, addField, addNumberField } from '@weir/filters-sdk/assembly/protobuf';
import { seal, unseal } from '@weir/filters-sdk/assembly/sealing';
import { OidcConfig } from './config';

const NONE = new ArrayBuffer(0);
const message = new ByteWriter(2048);
const encoded = new ByteWriter(4096);

/** Somebody who has logged in. */
export class Session {
  /** Milliseconds since 1970. */
  created: i64 = 0;
  /** When the access token ends; 0: it does not say. */
  expires: i64 = 0;
  /** Claims of the ID token, as JSON text. */
  claims: ArrayBuffer = NONE;
  accessToken: ArrayBuffer = NONE;
  /** Empty: there is none. */
  refreshToken: ArrayBuffer = NONE;
  /** For the provider, when the session ends there. */
  idToken: ArrayBuffer = NONE;

  /** Text for cookies: only this filter can read or make it. */
  seal(config: OidcConfig): Bytes {
    message.clear();
    addNumberField(message, 1, this.created);
    addNumberField(message, 2, this.expires);
    addField(message, 3, this.claims);
    addField(message, 4, this.accessToken);
    addField(message, 5, this.refreshToken);
    addField(message, 6, this.idToken);
    return sealText(config, config.sessionContext, message.view());
  }

  /** Null where the text was not made by this filter, or its time is over. */
  static open(config: OidcConfig, text: Bytes, time: i64): Session | null {
    const bytes = openText(config, config.sessionContext, text);
    if (bytes === null) return null;
    const session = new Session();
    const fields = new Fields(bytes);
    while (fields.next()) {
      if (fields.field == 1) session.created = fields.number;
      else if (fields.field == 2) session.expires = fields.number;
      else if (fields.field == 3) session.claims = fields.value.copy();
      else if (fields.field == 4) session.accessToken = fields.value.copy();
      else if (fields.field == 5) session.refreshToken = fields.value.copy();
      else if (fields.field == 6) session.idToken = fields.value.copy();
    }
    return time < session.created + config.sessionMs ? session : null;
  }
}

/** A login under way, in a cookie of its own until the browser comes back. */
export class Login {
  constructor(
    public state: ArrayBuffer,
    public nonce: ArrayBuffer,
    /** Of PKCE (RFC 7636). */
    public verifier: ArrayBuffer,
    /** Where the browser wanted to go. */
    public target: ArrayBuffer,
    public created: i64,
  ) {}

  seal(config: OidcConfig): Bytes {
    message.clear();
    addField(message, 1, this.state);
    addField(message, 2, this.nonce);
    addField(message, 3, this.verifier);
    addField(message, 4, this.target);
    addNumberField(message, 5, this.created);
    return sealText(config, config.loginContext, message.view());
  }

  static open(config: OidcConfig, text: Bytes): Login | null {
    const bytes = openText(config, config.loginContext, text);
    if (bytes === null) return null;
    const login = new Login(NONE, NONE, NONE, NONE, 0);
    const fields = new Fields(bytes);
    while (fields.next()) {
      if (fields.field == 1) login.state = fields.value.copy();
      else if (fields.field == 2) login.nonce = fields.value.copy();
      else if (fields.field == 3) login.verifier = fields.value.copy();
      else if (fields.field == 4) login.target = fields.value.copy();
      else if (fields.field == 5) login.created = fields.number;
    }
    return login;
  }
}

/** Empty where the host cannot seal. */
function sealText(config: OidcConfig, context: ArrayBuffer, data: Bytes): Bytes {
  encoded.clear();
  const sealed = seal(config.keys[0], data, context);
  if (sealed !== null) addBase64Url(encoded, sealed);
  return encoded.view();
}

function openText(config: OidcConfig, context: ArrayBuffer, text: Bytes): Bytes | null {
  encoded.clear();
  if (text.length == 0 || !decodeBase64Url(text, encoded)) return null;
  for (let i = 0; i < config.keys.length; i++) {
    const bytes = unseal(config.keys[i], encoded.view(), context);
    if (bytes !== null) return bytes;
  }
  return null;
}

/** Whether two secrets are the same, in a time that does not tell where they differ. */
export function isSame(left: ArrayBuffer, right: Bytes): bool {
  return left.byteLength > 0 && view(left).equalsInConstantTime(right);
}
