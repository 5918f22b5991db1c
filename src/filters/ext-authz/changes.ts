import { Bytes, HeaderMap, PairsWriter, requestHeaders } from '@weir/filters-sdk/assembly';
import { removeSpellingsOf } from '@weir/filters-sdk/assembly/fields';

/** What a service wants of a field (`HeaderAppendAction` of config.core.v3, by its numbers). */
export enum Append {
  Add = 0,
  AddIfAbsent = 1,
  Set = 2,
  SetIfPresent = 3,
  /** The older `append: true`: one field, its values joined by a comma. */
  Join = 4,
}

/** One change to a head. Names are in lower case. */
export class Change {
  constructor(
    public name: ArrayBuffer,
    public value: ArrayBuffer,
    public how: Append,
  ) {}
}

/** What the host refuses (framing, control characters) is left out. */
export function applyAll(changes: Change[], headers: HeaderMap): void {
  for (let i = 0; i < changes.length; i++) apply(unchecked(changes[i]), headers);
}

/** The same for the request: what the service sets, the client says in no other spelling. */
export function applyToRequest(changes: Change[]): void {
  for (let i = 0; i < changes.length; i++) {
    const change = unchecked(changes[i]);
    if (change.how == Append.Set) removeSpellingsOf(change.name);
    apply(change, requestHeaders);
  }
}

function apply(change: Change, headers: HeaderMap): void {
  const how = change.how;
  if (how == Append.Set) {
    headers.set(change.name, change.value);
    return;
  }
  const current = headers.get(change.name);
  if (current === null) {
    if (how != Append.SetIfPresent) headers.add(change.name, change.value);
  } else if (how == Append.Add) headers.add(change.name, change.value);
  else if (how == Append.SetIfPresent) headers.set(change.name, change.value);
  else if (how == Append.Join) join(headers, change);
}

function join(headers: HeaderMap, change: Change): void {
  const values = headers.all();
  let joined = '';
  while (values.nextNamed(change.name)) joined += values.value.toString() + ',';
  headers.set(change.name, joined + String.UTF8.decode(change.value));
}

/** The same for an answer that is being made. Fields are few, so that later ones look through those before. */
export function addAll(changes: Change[], fields: PairsWriter): void {
  for (let i = 0; i < changes.length; i++) {
    const change = unchecked(changes[i]);
    if (change.how == Append.SetIfPresent && !has(changes, change, 0, i)) continue;
    if (change.how == Append.AddIfAbsent && has(changes, change, 0, i)) continue;
    // A later one that sets the field takes its place.
    if (isReplaced(changes, change, i + 1)) continue;
    fields.add(change.name, change.value);
  }
}

function has(changes: Change[], wanted: Change, from: i32, to: i32): bool {
  for (let i = from; i < to; i++) if (sameName(changes[i], wanted)) return true;
  return false;
}

function isReplaced(changes: Change[], wanted: Change, from: i32): bool {
  for (let i = from; i < changes.length; i++) {
    const how = changes[i].how;
    if ((how == Append.Set || how == Append.SetIfPresent) && sameName(changes[i], wanted)) return true;
  }
  return false;
}

function sameName(left: Change, right: Change): bool {
  return Bytes.of(changetype<usize>(left.name), left.name.byteLength).equals(right.name);
}
