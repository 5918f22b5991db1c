import { Bytes, ByteWriter, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { Inspector } from './inspector';
import { Target } from './rule';

const NAMES = new ByteWriter();
const VALUES = new ByteWriter();
const parts = new Parts();
const cookies = new Parts();
const NOTHING = changetype<Bytes>(memory.data(8));

/** Not looked at: secrets, and what cannot be anything else than it is. */
const SKIPPED = [
  utf8(':method'),
  utf8(':path'),
  utf8(':authority'),
  utf8(':scheme'),
  utf8('authorization'),
  utf8('proxy-authorization'),
  utf8('content-length'),
];
/** Fields that browsers and proxies fill in, and how the names of more begin. */
const PROTOCOL = [
  utf8('accept'),
  utf8('content-type'),
  utf8('origin'),
  utf8('cache-control'),
  utf8('via'),
  utf8('forwarded'),
];
const PROTOCOL_FAMILIES = [utf8('accept-'), utf8('sec-'), utf8('if-')];
const FILE_NAME = 'xfilename';
const COOKIE = utf8('cookie');
const USER_AGENT = utf8('user-agent');
const REFERER = utf8('referer');

/** The path without the query. */
export function pathOf(target: Bytes): Bytes {
  const mark = target.indexOf(63);
  return mark < 0 ? target : target.slice(0, mark);
}

/** Path and query. @returns how many arguments there were */
export function lookAtTarget(inspector: Inspector, target: Bytes): i32 {
  const path = pathOf(target);
  inspector.look(Target.Path, NOTHING, path);
  if (!isEscapedWell(target)) inspector.report('protocol/bad-escape');
  return lookAtParts(inspector, parts.query(target));
}

/** @returns how many there were */
export function lookAtParts(inspector: Inspector, parts: Parts): i32 {
  let count = 0;
  while (parts.next()) {
    if (parts.whole.length == 0) continue;
    count++;
    const name = decodeQuery(parts.name, NAMES);
    inspector.look(Target.ArgNames, name, name);
    inspector.look(Target.Args, name, decodeQuery(parts.value, VALUES));
  }
  return count;
}

export function lookAtFields(inspector: Inspector): void {
  const fields = requestHeaders.all();
  while (fields.next()) {
    const name = fields.name;
    const value = fields.value;
    if (isOneOf(name, SKIPPED)) continue;
    if (name.equals(COOKIE)) lookAtCookies(inspector, value);
    else if (name.equals(USER_AGENT)) inspector.look(Target.UserAgent, NOTHING, value);
    else if (name.equals(REFERER)) inspector.look(Target.Referer, NOTHING, value);
    else if (isFileName(name)) inspector.look(Target.FileNames, name, value);
    else inspector.look(isProtocol(name) ? Target.Protocol : Target.Headers, name, value);
  }
}

function lookAtCookies(inspector: Inspector, field: Bytes): void {
  cookies.cookies(field);
  while (cookies.next()) {
    inspector.look(Target.Cookies, cookies.name, cookies.name);
    inspector.look(Target.Cookies, cookies.name, decodeQuery(cookies.value, VALUES));
  }
}

function isProtocol(name: Bytes): bool {
  for (let i = 0; i < PROTOCOL_FAMILIES.length; i++) if (name.startsWith(PROTOCOL_FAMILIES[i])) return true;
  return isOneOf(name, PROTOCOL);
}

/** `X-Filename` in its many spellings. */
function isFileName(name: Bytes): bool {
  let at = 0;
  for (let i = 0; i < name.length; i++) {
    const byte = name.at(i);
    if (byte == 45 || byte == 46 || byte == 95) continue;
    if (at >= FILE_NAME.length || byte != FILE_NAME.charCodeAt(at++)) return false;
  }
  return at == FILE_NAME.length;
}

function isOneOf(name: Bytes, names: ArrayBuffer[]): bool {
  for (let i = 0; i < names.length; i++) if (name.equals(names[i])) return true;
  return false;
}

/** Every `%` has two hexadecimal digits behind it. */
function isEscapedWell(text: Bytes): bool {
  for (let i = 0; i < text.length; i++)
    if (text.at(i) == 37 && (i + 2 >= text.length || !isHex(text.at(i + 1)) || !isHex(text.at(i + 2))))
      return false;
  return true;
}

function isHex(byte: i32): bool {
  return <u32>(byte - 48) < 10 || <u32>((byte | 32) - 97) < 6;
}
