import { Bytes, HeaderMap } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { fieldName, isFieldValue } from '@weir/filters-sdk/assembly/fields';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';

/** One change to a head. Made when the filter is configured, applied to every message. */
export abstract class Edit {
  constructor(protected name: ArrayBuffer) {}

  abstract apply(headers: HeaderMap): void;
}

class Remove extends Edit {
  apply(headers: HeaderMap): void {
    headers.remove(this.name);
  }
}

/** A field gets its values under another name, in place of what that had. */
class Rename extends Edit {
  constructor(
    name: ArrayBuffer,
    private to: ArrayBuffer,
  ) {
    super(name);
  }

  apply(headers: HeaderMap): void {
    const first = headers.get(this.name);
    if (first === null) return;
    const all = headers.all();
    headers.remove(this.to);
    while (all.nextNamed(this.name)) headers.add<ArrayBuffer, Bytes>(this.to, all.value);
    headers.remove(this.name);
  }
}

class SetTo extends Edit {
  constructor(
    name: ArrayBuffer,
    private value: ArrayBuffer,
  ) {
    super(name);
  }

  apply(headers: HeaderMap): void {
    headers.set(this.name, this.value);
  }
}

class AddValue extends Edit {
  constructor(
    name: ArrayBuffer,
    private value: ArrayBuffer,
  ) {
    super(name);
  }

  apply(headers: HeaderMap): void {
    headers.add(this.name, this.value);
  }
}

class SetRendered extends Edit {
  constructor(
    name: ArrayBuffer,
    private template: Template,
  ) {
    super(name);
  }

  apply(headers: HeaderMap): void {
    // What the host refuses (a control character out of a certificate, say) must not leave a field that
    // someone else wrote.
    if (!headers.set(this.name, this.template.render())) headers.remove(this.name);
  }
}

class AddRendered extends Edit {
  constructor(
    name: ArrayBuffer,
    private template: Template,
  ) {
    super(name);
  }

  apply(headers: HeaderMap): void {
    headers.add(this.name, this.template.render());
  }
}

/** Reads `rename`, `remove`, `set` and `add`. */
export function readEdits(config: Config, request: bool): Edit[] {
  const edits: Edit[] = [];
  const rename = config.object('rename').all();
  for (let i = 0; i < rename.length; i++) {
    const value = rename[i];
    const from = checkedName(value, value.name);
    const to = expectString(value) ? checkedName(value, value.text) : null;
    if (from !== null && to !== null) edits.push(new Rename(from, to));
  }
  const remove = config.items('remove');
  for (let i = 0; i < remove.length; i++) {
    const value = remove[i];
    const name = expectString(value) ? checkedName(value, value.text) : null;
    if (name !== null) edits.push(new Remove(name));
  }
  const set = config.object('set').all();
  for (let i = 0; i < set.length; i++) {
    const value = set[i];
    const name = request && isSettable(value) ? value.name : checkedName(value, value.name);
    if (name !== null) readValue(edits, value, name, true);
  }
  const add = config.object('add').all();
  for (let i = 0; i < add.length; i++) {
    const value = add[i];
    const name = checkedName(value, value.name);
    if (name === null) continue;
    if (value.kind != JsonKind.Array) readValue(edits, value, name, false);
    else for (let k = 0; k < value.items.length; k++) readValue(edits, value.items[k], name, false);
  }
  return edits;
}

/** Pseudo-headers of a request that may be set. */
function isSettable(value: JsonValue): bool {
  return value.isNamed(':path') || value.isNamed(':authority');
}

function checkedName(value: JsonValue, name: ArrayBuffer): ArrayBuffer | null {
  const checked = fieldName(name);
  if (checked === null) faultAt(value, 'not the name of a field that filters may change');
  return checked;
}

function expectString(value: JsonValue): bool {
  if (value.kind == JsonKind.String) return true;
  faultAt(value, 'expected a string');
  return false;
}

function readValue(edits: Edit[], value: JsonValue, name: ArrayBuffer, set: bool): void {
  if (!expectString(value)) return;
  const template = isFieldValue(value.text) ? parseTemplate(value.text) : null;
  if (template === null) {
    faultAt(value, isFieldValue(value.text) ? templateFault() : 'not a field value');
    return;
  }
  const literal = template.literal;
  if (literal !== null) edits.push(set ? new SetTo(name, literal) : new AddValue(name, literal));
  else edits.push(set ? new SetRendered(name, template) : new AddRendered(name, template));
}
