import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { Node } from './document';
import { decodeString } from './json-text';
import { kept } from './json-value';

const NULL = 110;
const decoded = new ByteWriter(128);

/** Merges a patch into a document (RFC 7396, section 2). */
export function merge(target: Node, patch: Node): void {
  if (!patch.isObject) {
    target.set(patch.text());
    return;
  }
  if (!target.isObject) target.empty();
  patch.open();
  let member = patch.first;
  while (member !== null) {
    const name = nameOf(member);
    const old = target.member(name);
    if (member.kind == NULL) {
      if (old !== null) target.remove(old);
    } else if (old !== null) {
      merge(old, member);
    } else if (member.isObject) {
      // Nothing that it would remove is there, and its nulls must not come in.
      target.append(name, Bytes.of(member.start, 0));
      const added = target.last!;
      added.empty();
      merge(added, member);
    } else {
      target.append(name, member.text());
    }
    member = member.next;
  }
}

function nameOf(member: Node): Bytes {
  return kept(decodeString(member.nameText, decoded));
}
