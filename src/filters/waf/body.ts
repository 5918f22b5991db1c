import { Bytes, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { Parts } from '@weir/filters-sdk/assembly/parts';
import { hasKnownCharset } from './charset';
import { lookAtParts } from './head';
import { Inspector } from './inspector';
import { JsonStrings } from './json-strings';
import { lookAtMultipart } from './multipart';
import { Target } from './rule';

const CONTENT_TYPE = utf8('content-type');
const CONTENT_ENCODING = utf8('content-encoding');
const NOTHING = changetype<Bytes>(memory.data(8));

const parts = new Parts();
const strings = new JsonStrings();

/** What a body was read as. */
export enum Reading {
  Done,
  /** Nothing here reads it, or it may be read in two ways. */
  Unread,
}

/** How many arguments the last body had. */
export let bodyArguments = 0;

/** @param unread media types that pass without a look, such as `image/*` */
export function lookAtBody(inspector: Inspector, body: Bytes, unread: ArrayBuffer[]): Reading {
  bodyArguments = 0;
  const type = requestHeaders.get(CONTENT_TYPE);
  const media = type === null ? NOTHING : mediaOf(type);
  for (let i = 0; i < unread.length; i++) if (isMedia(media, unread[i])) return Reading.Done;
  const encoding = requestHeaders.get(CONTENT_ENCODING);
  if (encoding !== null && !encoding.equalsIgnoreCase('identity')) return Reading.Unread;
  if (type !== null && !hasKnownCharset(type)) return Reading.Unread;
  if (media.equalsIgnoreCase('application/x-www-form-urlencoded')) {
    bodyArguments = lookAtParts(inspector, parts.parameters(body));
    return Reading.Done;
  }
  if (isJson(media)) {
    const read = strings.look(inspector, body);
    bodyArguments = strings.count;
    return read ? Reading.Done : Reading.Unread;
  }
  if (media.equalsIgnoreCase('multipart/form-data')) {
    bodyArguments = lookAtMultipart(inspector, body, type!);
    return bodyArguments >= 0 ? Reading.Done : Reading.Unread;
  }
  if (media.length != 0 && !isText(media)) return Reading.Unread;
  inspector.look(Target.Body, NOTHING, body);
  return Reading.Done;
}

function mediaOf(type: Bytes): Bytes {
  const end = type.indexOf(59);
  return (end < 0 ? type : type.slice(0, end)).trim();
}

function isMedia(media: Bytes, known: ArrayBuffer): bool {
  const star = known.byteLength - 1;
  if (star > 0 && load<u8>(changetype<usize>(known) + star) == 42)
    return media.slice(0, star).equalsIgnoreCase(Bytes.of(changetype<usize>(known), star));
  return media.equalsIgnoreCase(known);
}

function isJson(media: Bytes): bool {
  return media.equalsIgnoreCase('application/json') || endsWith(media, '+json');
}

function isText(media: Bytes): bool {
  return (
    media.slice(0, 5).equalsIgnoreCase('text/') ||
    media.equalsIgnoreCase('application/xml') ||
    media.equalsIgnoreCase('application/graphql') ||
    media.equalsIgnoreCase('application/csp-report') ||
    endsWith(media, '+xml')
  );
}

function endsWith(media: Bytes, end: string): bool {
  return media.slice(max(0, media.length - end.length)).equalsIgnoreCase(end);
}
