import { Bytes } from '@weir/filters-sdk/assembly';
import { Cursor } from './cursor';

/** Components that one signature may cover. */
const MOST_COMPONENTS = 50;

/** Something that a signature covers (RFC 9421, section 2). */
export class Component {
  constructor(
    /** As it stands in the field, quotes and parameters included. */
    public identifier: Bytes,
    public name: Bytes,
    /** The parameter `name` of `@query-param`. */
    public parameter: Bytes | null,
  ) {}
}

/** One member of `Signature-Input` (RFC 9421, section 4.1). */
export class SignatureInput {
  components: Component[] = [];
  /** The member's value as it stands: what is signed as `@signature-params`. */
  text: Bytes = Bytes.of(0, 0);
  keyId: Bytes | null = null;
  algorithm: Bytes | null = null;
  nonce: Bytes | null = null;
  tag: Bytes | null = null;
  /** Seconds since 1970; -1: it does not say. */
  created: i64 = -1;
  expires: i64 = -1;

  constructor(public label: Bytes) {}

  covers(name: string): bool {
    for (let i = 0; i < this.components.length; i++) if (this.components[i].name.equals(name)) return true;
    return false;
  }
}

/** All members; null where the field is not what it must be. */
export function readInputs(field: Bytes): SignatureInput[] | null {
  const cursor = new Cursor(field);
  const inputs: SignatureInput[] = [];
  while (cursor.nextMember()) {
    const input = new SignatureInput(cursor.key());
    for (let i = 0; i < inputs.length; i++) if (inputs[i].label.equals(input.label)) return null;
    cursor.expect(61);
    const start = cursor.at;
    readComponents(cursor, input);
    readParameters(cursor, input);
    input.text = field.slice(start, cursor.at);
    inputs.push(input);
  }
  return cursor.failed || inputs.length == 0 ? null : inputs;
}

function readComponents(cursor: Cursor, input: SignatureInput): void {
  cursor.expect(40);
  while (!cursor.failed && !cursor.skip(41)) {
    if (input.components.length > 0) cursor.expect(32);
    const start = cursor.at;
    const name = cursor.string();
    let parameter: Bytes | null = null;
    if (cursor.skip(59)) {
      // Others (`sf`, `key`, `bs`, `req`, `tr`) change what is signed in ways that this filter does not take.
      if (!name.equals('@query-param') || !cursor.key().equals('name')) cursor.failed = true;
      cursor.expect(61);
      parameter = cursor.string();
    } else if (name.equals('@query-param')) cursor.failed = true;
    const identifier = cursor.text.slice(start, cursor.at);
    const components = input.components;
    for (let i = 0; i < components.length; i++)
      if (components[i].identifier.equals(identifier)) cursor.failed = true;
    components.push(new Component(identifier, name, parameter));
    if (components.length > MOST_COMPONENTS) cursor.failed = true;
  }
}

function readParameters(cursor: Cursor, input: SignatureInput): void {
  while (cursor.skip(59)) {
    const name = cursor.key();
    cursor.expect(61);
    if (name.equals('created')) input.created = once(cursor, input.created);
    else if (name.equals('expires')) input.expires = once(cursor, input.expires);
    else if (name.equals('keyid')) input.keyId = text(cursor, input.keyId);
    else if (name.equals('alg')) input.algorithm = text(cursor, input.algorithm);
    else if (name.equals('nonce')) input.nonce = text(cursor, input.nonce);
    else if (name.equals('tag')) input.tag = text(cursor, input.tag);
    else cursor.failed = true;
    if (cursor.failed) return;
  }
}

function once(cursor: Cursor, before: i64): i64 {
  if (before >= 0) cursor.failed = true;
  return cursor.integer();
}

function text(cursor: Cursor, before: Bytes | null): Bytes {
  if (before !== null) cursor.failed = true;
  return cursor.string();
}

/** The signature under a label, as base64; null where there is none, or the field is not what it must be. */
export function findSignature(field: Bytes, label: Bytes): Bytes | null {
  const cursor = new Cursor(field);
  let found: Bytes | null = null;
  while (cursor.nextMember()) {
    const isWanted = cursor.key().equals(label);
    cursor.expect(61);
    const signature = cursor.byteSequence();
    if (!isWanted) continue;
    if (found !== null) cursor.failed = true;
    found = signature;
  }
  return cursor.failed ? null : found;
}
