import { ByteWriter, Bytes, PairsWriter, requestHeaders, utf8, view } from '@weir/filters-sdk/assembly';
import { Parts } from '@weir/filters-sdk/assembly/parts';
import { OidcConfig } from './config';

const COOKIE = utf8('cookie');
/** Browsers keep 4096 bytes of a cookie, its name and attributes included. */
const PART_BYTES = 3700;
const MOST_PARTS = 5;

const parts = new Parts();
const joined = new ByteWriter(4096);
const name = new ByteWriter(64);
const field = new ByteWriter(4096);

/** The one value of a cookie; null where there is none, or several: which counts would be a guess. */
export function findCookie(wanted: Bytes): Bytes | null {
  const fields = requestHeaders.all();
  let found: Bytes | null = null;
  while (fields.nextNamed(COOKIE)) {
    parts.cookies(fields.value);
    while (parts.next()) {
      if (!parts.name.equals(wanted)) continue;
      if (found !== null) return null;
      found = parts.value;
    }
  }
  return found;
}

/** The text that a session's cookies hold together; empty where one of them is missing. */
export function readSession(config: OidcConfig): Bytes {
  joined.clear();
  const first = findCookie(view(config.cookieName));
  // How many there are stands before the first part.
  const count = first === null || first.length < 2 || first.at(1) != 46 ? 0 : first.at(0) - 48;
  if (count < 1 || count > MOST_PARTS) return joined.view();
  joined.add(first!.slice(2));
  for (let i = 1; i < count; i++) {
    const part = findCookie(partName(config, i));
    if (part === null) return joined.clear().view();
    joined.add(part);
  }
  return joined.view();
}

function partName(config: OidcConfig, index: i32): Bytes {
  name.clear().add(config.cookieName);
  if (index > 0) name.addByte(45).addNumber(index);
  return name.view();
}

/** Adds the cookies of a session. @returns false where it is too large for them */
export function addSession(fields: PairsWriter, config: OidcConfig, text: Bytes, seconds: i64): bool {
  const count = (text.length + PART_BYTES - 1) / PART_BYTES;
  if (count < 1 || count > MOST_PARTS) return false;
  for (let i = 0; i < count; i++) {
    field.clear().add(partName(config, i)).addByte(61);
    if (i == 0) field.addByte(48 + count).addByte(46);
    field.add(text.slice(i * PART_BYTES, min((i + 1) * PART_BYTES, text.length)));
    addAge(config, seconds);
    fields.add('set-cookie', field.view());
  }
  return true;
}

/** Takes the cookies of a session away from the browser, those that it has. */
export function removeSession(fields: PairsWriter, config: OidcConfig): void {
  for (let i = 0; i < MOST_PARTS; i++) {
    if (findCookie(partName(config, i)) === null && i > 0) continue;
    field.clear().add(partName(config, i)).addByte(61);
    addAge(config, 0);
    fields.add('set-cookie', field.view());
  }
}

export function loginCookie(config: OidcConfig, state: Bytes): Bytes {
  return name.clear().add(config.loginName).add(state.slice(0, 8)).view();
}

export function addLogin(
  fields: PairsWriter,
  config: OidcConfig,
  state: Bytes,
  text: Bytes,
  seconds: i64,
): void {
  field.clear().add(loginCookie(config, state)).addByte(61).add(text);
  addAge(config, seconds);
  fields.add('set-cookie', field.view());
}

/** Logins that were never finished, where they become many. */
export function removeLogins(fields: PairsWriter, config: OidcConfig, most: i32): void {
  const all = requestHeaders.all();
  let count = 0;
  while (all.nextNamed(COOKIE)) {
    parts.cookies(all.value);
    while (parts.next()) {
      if (!parts.name.startsWith(config.loginName) || ++count <= most) continue;
      field.clear().add(parts.name).addByte(61);
      addAge(config, 0);
      fields.add('set-cookie', field.view());
    }
  }
}

function addAge(config: OidcConfig, seconds: i64): void {
  field.add('; Max-Age=').addNumber(seconds).add(config.cookieEnd);
}

/** Takes this filter's cookies out of what goes upstream. */
export function stripCookies(config: OidcConfig): void {
  const fields = requestHeaders.all();
  field.clear();
  let found = false;
  let stripped = false;
  while (fields.nextNamed(COOKIE)) {
    found = true;
    parts.cookies(fields.value);
    while (parts.next()) {
      if (parts.name.startsWith(config.cookieName)) stripped = true;
      else if (parts.whole.length > 0) {
        if (field.length > 0) field.addByte(59).addByte(32);
        field.add(parts.whole);
      }
    }
  }
  if (!found || !stripped) return;
  if (field.length == 0) requestHeaders.remove(COOKIE);
  else requestHeaders.set(COOKIE, field.view());
}
