import { Bytes, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Node, isUnclear } from './document';
import { sameValue } from './equality';
import { ValueTemplate } from './json-value';
import { NO_TOKENS, indexOf, readPointer } from './pointers';

/** The operations of RFC 6902, section 4. */
const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
enum Kind {
  Add,
  Remove,
  Replace,
  Move,
  Copy,
  Test,
}

/** What came of a patch. */
export enum Patched {
  Done,
  /** An operation does not fit the document. */
  Failed,
  /** A `test` found another value. */
  Differs,
}

class Operation {
  constructor(
    readonly kind: Kind,
    readonly path: ArrayBuffer[],
    readonly from: ArrayBuffer[],
    readonly value: ValueTemplate | null,
  ) {}
}

/** A JSON Patch (RFC 6902): all of it, or nothing. */
export class Patch {
  private operations: Operation[] = [];

  /** @param text of the configuration */
  static read(text: ArrayBuffer, items: JsonValue[]): Patch {
    const patch = new Patch();
    for (let i = 0; i < items.length; i++) patch.readOperation(text, items[i]);
    return patch;
  }

  private readOperation(text: ArrayBuffer, item: JsonValue): void {
    const config = Config.of(item);
    if (config.required('op') === null || item.kind != JsonKind.Object) return;
    const kind = <Kind>config.choice('op', OPERATIONS);
    const at = config.required('path');
    const path = at === null ? NO_TOKENS : readPointer(at);
    if (kind == Kind.Remove && at !== null && path.length == 0)
      faultAt(at, 'the whole document cannot be removed');
    let from = NO_TOKENS;
    let value: ValueTemplate | null = null;
    if (kind == Kind.Move || kind == Kind.Copy) {
      const source = config.required('from');
      if (source !== null) from = readPointer(source);
      if (source !== null && kind == Kind.Move && isAbove(from, path) && from.length < path.length)
        faultAt(source, 'a value cannot be moved into itself');
    } else if (kind != Kind.Remove) {
      const given = config.required('value');
      if (given !== null) value = new ValueTemplate(text, given);
    }
    this.operations.push(new Operation(kind, path, from, value));
    config.end();
  }

  get isEmpty(): bool {
    return this.operations.length == 0;
  }

  /** After anything but `Done` the document is no good any more. */
  apply(root: Node): Patched {
    for (let i = 0; i < this.operations.length; i++) {
      const operation = this.operations[i];
      if (operation.kind == Kind.Test) {
        const found = find(root, operation.path, operation.path.length);
        if (found === null || isUnclear()) return Patched.Differs;
        if (!sameValue(found, Node.ofText(operation.value!.render()))) return Patched.Differs;
      } else if (!applyOne(root, operation)) return Patched.Failed;
      if (isUnclear()) return Patched.Failed;
    }
    return Patched.Done;
  }
}

function applyOne(root: Node, operation: Operation): bool {
  const path = operation.path;
  switch (operation.kind) {
    case Kind.Remove:
      return remove(root, path);
    case Kind.Replace: {
      const found = find(root, path, path.length);
      if (found === null) return false;
      found.set(operation.value!.render());
      return true;
    }
    case Kind.Add:
      return add(root, path, operation.value!.render());
    default: {
      const source = find(root, operation.from, operation.from.length);
      if (source === null) return false;
      const isMove = operation.kind == Kind.Move;
      if (isMove && isSame(operation.from, path)) return true;
      const text = source.text();
      if (isMove && !remove(root, operation.from)) return false;
      return add(root, path, text);
    }
  }
}

/** The value at the first `count` tokens of a path. */
function find(root: Node, path: ArrayBuffer[], count: i32): Node | null {
  let node = root;
  for (let i = 0; i < count; i++) {
    const child = node.child(view(path[i]));
    if (child === null) return null;
    node = child;
  }
  return node;
}

function remove(root: Node, path: ArrayBuffer[]): bool {
  const found = find(root, path, path.length);
  if (found === null) return false;
  const parent = found.parent;
  if (parent === null) return false;
  parent.remove(found);
  return true;
}

function add(root: Node, path: ArrayBuffer[], value: Bytes): bool {
  if (path.length == 0) {
    root.set(value);
    return true;
  }
  const parent = find(root, path, path.length - 1);
  if (parent === null) return false;
  const token = view(path[path.length - 1]);
  if (parent.isObject) {
    const member = parent.member(token);
    if (member === null) parent.append(token, value);
    else member.set(value);
    return true;
  }
  if (!parent.isList) return false;
  parent.open();
  const index = token.equals('-') ? parent.count : indexOf(token);
  if (index < 0 || index > parent.count) return false;
  parent.insert(index, value);
  return true;
}

function isAbove(path: ArrayBuffer[], other: ArrayBuffer[]): bool {
  if (path.length > other.length) return false;
  for (let i = 0; i < path.length; i++) if (!view(path[i]).equals(other[i])) return false;
  return true;
}

function isSame(path: ArrayBuffer[], other: ArrayBuffer[]): bool {
  return path.length == other.length && isAbove(path, other);
}
