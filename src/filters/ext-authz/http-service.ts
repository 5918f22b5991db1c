// A service that is asked with a request of HTTP: the method, the path and the host of the one that it decides about.
import {
  ByteWriter,
  Bytes,
  Pairs,
  PairsWriter,
  requestBody,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { fieldName } from '@weir/filters-sdk/assembly/fields';
import { HttpAnswer, call } from '@weir/filters-sdk/assembly/wait';
import { Append, Change } from './changes';
import { ExtAuthzConfig } from './config';
import { Decision, Outcome } from './decision';
import { PARTIAL_BODY, isHidden } from './sent-fields';

const head = new PairsWriter();
const path = new ByteWriter(256);

/** @param bodyBytes of the body, from its beginning; -1: none goes along */
export function askHttp(config: ExtAuthzConfig, bodyBytes: i32, partial: bool): HttpAnswer {
  head.clear();
  const fields = requestHeaders.all();
  while (fields.next()) {
    const name = fields.name;
    if (name.equals(':path')) {
      path.clear().add(config.pathPrefix).add(fields.value);
      head.add(name, path.view());
    } else if (name.equals(':method') || name.equals(':authority') || name.equals(':scheme')) {
      head.add(name, fields.value);
    } else if (name.at(0) != 58 && !isFraming(name) && !isHidden(config, name) && !isSent(config, name)) {
      head.add(name, fields.value);
    }
  }
  for (let i = 0; i < config.sent.length; i++) head.add(config.sent[i].name, config.sent[i].value.render());
  if (bodyBytes >= 0) head.add(PARTIAL_BODY, partial ? 'true' : 'false');
  const body = bodyBytes > 0 ? requestBody.read(0, bodyBytes) : Bytes.of(0, 0);
  return call(config.upstream, head, body, config.timeoutMs);
}

/** What is said of the connection and the body of the request is not right for the question. */
function isFraming(name: Bytes): bool {
  return fieldName(name.copy()) === null;
}

function isSent(config: ExtAuthzConfig, name: Bytes): bool {
  for (let i = 0; i < config.sent.length; i++) if (name.equals(config.sent[i].name)) return true;
  return false;
}

export function decisionOfAnswer(config: ExtAuthzConfig, answer: HttpAnswer): Decision {
  const decision = new Decision();
  if (answer.failed || answer.status < 200 || answer.status >= 500) return decision;
  if (answer.status == 200) readAllowed(config, decision, answer.headers);
  else {
    decision.outcome = Outcome.Denied;
    decision.status = answer.status;
    decision.body = answer.body.copy();
    const clientFields = config.clientFields;
    const fields = answer.headers;
    while (fields.next())
      if (clientFields === null || clientFields.has(fields.name)) add(decision.changes, fields, Append.Add);
  }
  return decision;
}

function readAllowed(config: ExtAuthzConfig, decision: Decision, fields: Pairs): void {
  decision.outcome = Outcome.Allowed;
  while (fields.next()) {
    const name = fields.name;
    if (name.equals('x-envoy-auth-headers-to-remove')) addNames(decision.removed, fields.value);
    if (config.upstreamFields.has(name)) add(decision.changes, fields, Append.Set);
    if (config.upstreamAppended.has(name)) add(decision.changes, fields, Append.Add);
    if (config.clientFieldsOnSuccess.has(name)) add(decision.answerChanges, fields, Append.Add);
    if (config.metadataFields.has(name)) {
      decision.metadata.push(name.copy());
      decision.metadata.push(fields.value.copy());
    }
  }
}

function add(changes: Change[], fields: Pairs, how: Append): void {
  const name = fieldName(fields.name.copy());
  if (name !== null) changes.push(new Change(name, fields.value.copy(), how));
}

/** Names in a list with commas. */
function addNames(names: ArrayBuffer[], list: Bytes): void {
  for (let from = 0; from <= list.length;) {
    const comma = list.indexOf(44, from);
    const end = comma < 0 ? list.length : comma;
    const name = fieldName(list.slice(from, end).trim().copy());
    if (name !== null) names.push(name);
    from = end + 1;
  }
}
