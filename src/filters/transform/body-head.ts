import { Action, HeaderMap, utf8 } from '@weir/filters-sdk/assembly';
import { BodyEdit } from './body-edit';
import { BodyRun } from './body-run';
import { When } from './when';

const CONTENT_ENCODING = utf8('content-encoding');
const CONTENT_TYPE = utf8('content-type');
/** Of the bytes that came: they say nothing of those that go on. */
const OF_BYTES = [
  utf8('content-length'),
  utf8('etag'),
  utf8('accept-ranges'),
  utf8('content-digest'),
  utf8('repr-digest'),
  utf8('digest'),
  utf8('content-md5'),
];

/** Whether a message that a rule is for has a body that its edit is for. */
export function isFor(when: When, edit: BodyEdit, headers: HeaderMap): bool {
  return when.hasTypes || edit.isForType(headers);
}

/** The head of a message whose body is to be edited. */
export function beginBody(run: BodyRun, edit: BodyEdit, headers: HeaderMap): Action {
  if (isEncoded(headers)) {
    const reply = edit.encodedReply;
    return reply === null ? Action.Continue : reply.send();
  }
  run.begin(edit, edit.modeFor(headers));
  dropFields(edit, headers);
  return Action.Continue;
}

/** Of a head, or of trailers. */
export function dropOfBytes(fields: HeaderMap): void {
  for (let i = 0; i < OF_BYTES.length; i++) fields.remove(OF_BYTES[i]);
}

export function dropFields(edit: BodyEdit, headers: HeaderMap): void {
  dropOfBytes(headers);
  const type = edit.typeAfter;
  if (type !== null) headers.set(CONTENT_TYPE, type);
}

function isEncoded(headers: HeaderMap): bool {
  const fields = headers.all();
  while (fields.nextNamed(CONTENT_ENCODING)) {
    if (fields.value.length > 0 && !fields.value.equalsIgnoreCase('identity')) return true;
  }
  return false;
}
