import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { allocate } from '@weir/filters-sdk/assembly/arena';
import { Parts, decodeQuery, encodePart } from '@weir/filters-sdk/assembly/parts';
import { Node } from './document';
import { decodeString, writeString } from './json-text';
import { kept } from './json-value';

const parts = new Parts();
const name = new ByteWriter(128);
const value = new ByteWriter(256);
const json = new ByteWriter(256);

/** A field of a form. Fields of one name are linked in their order. */
@unmanaged
class Field {
  name: Bytes;
  /** JSON. */
  value: Bytes;
  /** Of all names, in the order in which they came first. */
  nextName: Field | null;
  nextValue: Field | null;
  lastValue: Field;

  static of(name: Bytes, value: Bytes): Field {
    const at = allocate(offsetof<Field>());
    memory.fill(at, 0, offsetof<Field>());
    const field = changetype<Field>(at);
    field.name = name;
    field.value = value;
    field.lastValue = field;
    return field;
  }
}

/** Each is compared with those before it. */
const MOST_FIELDS = 1000;

/**
 * Writes a form (application/x-www-form-urlencoded, as the URL Standard reads it) as a JSON object: a member for each name,
 * in their order, with a string, or with a list of strings where the name is there more than once.
 *
 * @returns false where a name or value is not UTF-8, or there are more than a thousand
 */
export function formToJson(form: Bytes, out: ByteWriter): bool {
  let first: Field | null = null;
  let last: Field | null = null;
  let count = 0;
  parts.parameters(form);
  while (parts.next()) {
    if (parts.whole.length == 0) continue;
    if (++count > MOST_FIELDS || !writeString(decodeQuery(parts.value, value), json.clear())) return false;
    const text = kept(json.view());
    const key = decodeQuery(parts.name, name);
    let known: Field | null = first;
    while (known !== null && !known.name.equals(key)) known = known.nextName;
    if (known !== null) {
      const field = Field.of(known.name, text);
      known.lastValue.nextValue = field;
      known.lastValue = field;
      continue;
    }
    const field = Field.of(kept(key), text);
    if (last === null) first = field;
    else last.nextName = field;
    last = field;
  }
  return writeFields(first, out);
}

function writeFields(first: Field | null, out: ByteWriter): bool {
  out.addByte(123);
  let field = first;
  while (field !== null) {
    if (field !== first) out.addByte(44);
    if (!writeString(field.name, out)) return false;
    out.addByte(58);
    writeValues(field, out);
    field = field.nextName;
  }
  out.addByte(125);
  return true;
}

function writeValues(field: Field, out: ByteWriter): void {
  out.add(field.nextValue === null ? '' : '[').add(field.value);
  let item = field.nextValue;
  if (item === null) return;
  while (item !== null) {
    out.addByte(44).add(item.value);
    item = item.nextValue;
  }
  out.addByte(93);
}

/**
 * Writes a JSON object as a form: strings without quotes, numbers and booleans as they stand, null as an empty value, a list
 * as several fields of its name.
 *
 * @returns false where it is no object, or has objects or lists in lists
 */
export function jsonToForm(root: Node, out: ByteWriter): bool {
  if (!root.isObject) return false;
  root.open();
  let member = root.first;
  while (member !== null) {
    if (!writeMember(kept(decodeString(member.nameText, name)), member, out)) return false;
    member = member.next;
  }
  return true;
}

function writeMember(key: Bytes, node: Node, out: ByteWriter): bool {
  if (!node.isList) return writeField(key, node, out);
  node.open();
  let item = node.first;
  while (item !== null) {
    if (!writeField(key, item, out)) return false;
    item = item.next;
  }
  return true;
}

function writeField(key: Bytes, node: Node, out: ByteWriter): bool {
  if (node.isObject || node.isList) return false;
  if (out.length > 0) out.addByte(38);
  encodePart(key, out);
  out.addByte(61);
  const text = node.text();
  if (node.kind == 34) encodePart(decodeString(text.slice(1, text.length - 1), value), out);
  else if (node.kind != 110) encodePart(text, out);
  return true;
}
