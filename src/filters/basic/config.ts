import { Bytes, ByteWriter, Reply, utf8, view } from '@weir/filters-sdk/assembly';
import { Config, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { Consumer, readNotAfter } from '@weir/filters-sdk/assembly/consumer';
import { fieldName, isQuotable } from '@weir/filters-sdk/assembly/fields';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';
import { User, Users } from './users';

const NONE = new ArrayBuffer(0);
const PREFIX = utf8('scrypt$');

export class BasicConfig {
  users: Users = new Users();
  strip: bool = true;
  /** Empty: no header. */
  consumerHeader: ArrayBuffer = NONE;
  missing: Reply = new Reply(401, '');
  invalid: Reply = new Reply(401, '');
  expired: Reply = new Reply(401, '');
  busy: Reply = unavailable('basic_busy');
  unavailable: Reply = unavailable('basic_unavailable');

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    // An empty list is what weir makes of Consumers where there are none: nobody is admitted.
    const users = config.items('users');
    if (!config.has('users')) faultAt(config.value, '"users" is required');
    for (let i = 0; i < users.length; i++) this.readUser(users[i]);
    this.strip = config.boolean('stripCredential', true);
    if (config.has('consumerHeader')) {
      const name = fieldName(config.text('consumerHeader'));
      if (name === null) config.fault('consumerHeader', 'not the name of a field that filters may change');
      else this.consumerHeader = name;
    }
    const realm = config.text('realm', utf8('api'));
    if (!isQuotable(realm)) config.fault('realm', 'printable characters without " and \\');
    this.missing = refusal(realm, 'basic_missing');
    this.invalid = refusal(realm, 'basic_invalid');
    this.expired = refusal(realm, 'basic_expired');
    return config.end();
  }

  private readUser(value: JsonValue): void {
    const config = Config.of(value);
    const name = config.text('username');
    if (name.byteLength == 0 || view(name).indexOf(58) >= 0)
      config.fault('username', 'a user name is not empty and has no colon');
    const consumer = Consumer.read(config, name);
    const end = readNotAfter(config);
    let hash: ArrayBuffer | null = null;
    let digest = NONE;
    const given = <i32>config.has('hash') + <i32>config.has('sha256') + <i32>config.has('password');
    if (given != 1) faultAt(value, 'expected one of "hash", "sha256" and "password"');
    else if (config.has('hash')) {
      hash = config.text('hash');
      if (!view(hash).startsWith(PREFIX)) config.fault('hash', 'expected scrypt$N$r$p$salt$key');
    } else if (config.has('sha256')) {
      digest = decodeHex(config.text('sha256'));
      if (digest.byteLength != 32) config.fault('sha256', 'must have 64 hexadecimal digits');
    } else {
      const password = config.text('password');
      if (password.byteLength == 0) config.fault('password', 'is empty');
      digest = new ArrayBuffer(32);
      sha256(changetype<usize>(password), password.byteLength, changetype<usize>(digest));
    }
    this.users.add(name, new User(consumer, end, hash, digest));
    config.end();
  }
}

function refusal(realm: ArrayBuffer, details: string): Reply {
  const reply = Reply.problem(401, 'Unauthorized', 'a valid user name and password are required', details);
  const challenge = new ByteWriter(64).add('Basic realm="').add(realm).add('", charset="UTF-8"');
  reply.headers.add('www-authenticate', challenge.view());
  return reply;
}

function unavailable(details: string): Reply {
  const reply = Reply.problem(503, 'Service Unavailable', 'passwords cannot be checked now', details);
  reply.headers.add('retry-after', '1');
  return reply;
}

/** The bytes of hexadecimal digits; none where they are not ones. */
function decodeHex(text: ArrayBuffer): ArrayBuffer {
  const bytes: Bytes = view(text);
  if ((bytes.length & 1) != 0) return NONE;
  const decoded = new ArrayBuffer(bytes.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    let value = bytes.at(i) - 48;
    if (<u32>value > 9) value = <u32>((bytes.at(i) | 32) - 97) < 6 ? (bytes.at(i) | 32) - 87 : -1;
    if (value < 0) return NONE;
    const at = changetype<usize>(decoded) + (i >> 1);
    store<u8>(at, i & 1 ? load<u8>(at) | value : value << 4);
  }
  return decoded;
}
