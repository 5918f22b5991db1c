// The answer of a gRPC service: `CheckResponse` of envoy.service.auth.v3, by the numbers of its fields.
import { ByteWriter, Bytes } from '@weir/filters-sdk/assembly';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { Fields, bytesIn, numberIn } from '@weir/filters-sdk/assembly/protobuf';
import { Append, Change } from './changes';
import { Decision, Outcome } from './decision';

const text = new ByteWriter(32);

export function decisionOf(message: Bytes): Decision {
  const decision = new Decision();
  let status: Bytes = Bytes.of(0, 0);
  let allowed: Bytes | null = null;
  let denied: Bytes | null = null;
  let failed: Bytes | null = null;
  let metadata: Bytes | null = null;
  const fields = new Fields(message);
  while (fields.next()) {
    if (fields.field == 1) status = fields.value;
    else if (fields.field == 2) denied = fields.value;
    else if (fields.field == 3) allowed = fields.value;
    else if (fields.field == 4) metadata = fields.value;
    else if (fields.field == 5) failed = fields.value;
  }
  const code = codeOf(status);
  // What cannot be read is no decision, and least of all one that lets through.
  if (fields.damaged || code < 0) return decision;
  if (code == 0) {
    decision.outcome = Outcome.Allowed;
    if (allowed !== null) metadata = readAllowed(decision, allowed, metadata);
  } else if (failed !== null) readAnswer(decision, failed);
  else {
    decision.outcome = Outcome.Denied;
    decision.status = 403;
    if (denied !== null) readAnswer(decision, denied);
  }
  if (metadata !== null) readStruct(decision, metadata);
  return decision;
}

/** Of a `google.rpc.Status`; -1 where it cannot be read. */
function codeOf(status: Bytes): i64 {
  let code: u64 = 0;
  const fields = new Fields(status);
  while (fields.next()) if (fields.field == 1) code = fields.number;
  return fields.damaged ? -1 : <i64>(code & 0xffffffff);
}

/** `OkHttpResponse`. @returns the metadata that counts: its own, where it has any */
function readAllowed(decision: Decision, message: Bytes, metadata: Bytes | null): Bytes | null {
  const fields = new Fields(message);
  while (fields.next()) {
    const value = fields.value;
    if (fields.field == 2) addChange(decision.changes, value);
    else if (fields.field == 3) metadata = value;
    else if (fields.field == 5) {
      const name = fieldName(value.copy());
      if (name !== null) decision.removed.push(name);
    } else if (fields.field == 6) addChange(decision.answerChanges, value);
    else if (fields.field == 7) {
      decision.querySet.push(bytesIn(value, 1));
      decision.querySet.push(bytesIn(value, 2));
    } else if (fields.field == 8) decision.queryRemoved.push(value.copy());
  }
  if (fields.damaged) decision.outcome = Outcome.Failed;
  return metadata;
}

/** `DeniedHttpResponse`. */
function readAnswer(decision: Decision, message: Bytes): void {
  const fields = new Fields(message);
  while (fields.next()) {
    const value = fields.value;
    if (fields.field == 1) {
      const status = <i32>numberIn(value, 1);
      if (status >= 200 && status < 600) decision.status = status;
    } else if (fields.field == 2) addChange(decision.changes, value);
    else if (fields.field == 3) decision.body = value.copy();
  }
}

/** `HeaderValueOption`. What is no name of a field that filters may write is left out. */
function addChange(changes: Change[], message: Bytes): void {
  let name: ArrayBuffer | null = null;
  let value = new ArrayBuffer(0);
  let how = Append.Add;
  let older = false;
  const fields = new Fields(message);
  while (fields.next()) {
    if (fields.field == 1) {
      name = fieldName(bytesIn(fields.value, 1));
      value = bytesIn(fields.value, 2);
      if (value.byteLength == 0) value = bytesIn(fields.value, 3);
    } else if (fields.field == 2) {
      older = true;
      how = numberIn(fields.value, 1) != 0 ? Append.Join : Append.Set;
    } else if (fields.field == 3 && !older) {
      how = fields.number <= 3 ? <Append>(<i32>fields.number) : Append.Set;
    }
  }
  if (name !== null) changes.push(new Change(name, value, how));
}

/** Strings, booleans and whole numbers of a google.protobuf.Struct; lists and objects are left out. */
function readStruct(decision: Decision, message: Bytes): void {
  const entries = new Fields(message);
  while (entries.next()) {
    if (entries.field != 1) continue;
    const name = bytesIn(entries.value, 1);
    const pair = new Fields(entries.value);
    while (pair.next()) if (pair.field == 2) addValue(decision, name, pair.value);
  }
}

function addValue(decision: Decision, name: ArrayBuffer, message: Bytes): void {
  const fields = new Fields(message);
  while (fields.next()) {
    text.clear();
    if (fields.field == 3) text.add(fields.value);
    else if (fields.field == 4) text.add(fields.number != 0 ? 'true' : 'false');
    else if (fields.field == 2) {
      const number = reinterpret<f64>(fields.number);
      if (number != floor(number) || Math.abs(number) > 9e15) continue;
      text.addNumber(<i64>number);
    } else continue;
    decision.metadata.push(name);
    decision.metadata.push(text.copy());
  }
}
