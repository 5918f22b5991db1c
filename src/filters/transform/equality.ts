import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { Node, isUnclear } from './document';
import { decodeString } from './json-text';
import { kept } from './json-value';
import { sameNumber } from './numbers';

const decoded = new ByteWriter(128);
const decodedToo = new ByteWriter(128);

/** Whether two values are the same (RFC 6902, section 4.6): numbers by their value, objects whatever their order. */
export function sameValue(left: Node, right: Node): bool {
  const kind = left.kind;
  if (isNumber(kind)) return isNumber(right.kind) && sameNumber(left.text(), right.text());
  if (kind != right.kind) return false;
  if (kind == 34) {
    return decodeString(inner(left), decoded).equals(decodeString(inner(right), decodedToo));
  }
  if (!left.isObject && !left.isList) return true;
  left.open();
  right.open();
  if (left.count != right.count) return false;
  let other = right.first;
  let child = left.first;
  while (child !== null) {
    if (left.isObject) {
      const name = kept(decodeString(child.nameText, decodedToo));
      if (left.member(name) !== child) return false;
      other = right.member(name);
    }
    if (other === null || !sameValue(child, other)) return false;
    other = other.next;
    child = child.next;
  }
  return !isUnclear();
}

function inner(node: Node): Bytes {
  return Bytes.of(node.start + 1, <i32>(node.end - node.start) - 2);
}

function isNumber(kind: i32): bool {
  return kind == 45 || <u32>(kind - 48) < 10;
}
