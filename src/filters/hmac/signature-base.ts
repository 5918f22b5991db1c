import { ByteWriter, Bytes, requestHeaders } from '@weir/filters-sdk/assembly';
import { isSpellingOf } from '@weir/filters-sdk/assembly/fields';
import { Parts, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { Component, SignatureInput } from './signature-input';

const base = new ByteWriter(1024);
const decoded = new ByteWriter(64);
const parts = new Parts();
const DIGITS = '0123456789ABCDEF';

/**
 * What a signature of the running request covers (RFC 9421, section 2.5).
 *
 * @returns null where a component is not there, or not known
 */
export function signatureBase(input: SignatureInput): Bytes | null {
  base.clear();
  const components = input.components;
  for (let i = 0; i < components.length; i++) {
    base.add(components[i].identifier).add(': ');
    if (!addValue(components[i])) return null;
    base.addByte(10);
  }
  base.add('"@signature-params": ').add(input.text);
  return base.view();
}

function addValue(component: Component): bool {
  const name = component.name;
  if (name.length == 0) return false;
  if (name.at(0) != 64) return addField(name);
  if (name.equals('@method')) return addPseudo(':method');
  if (name.equals('@authority')) return addAuthority();
  if (name.equals('@scheme')) return addPseudo(':scheme');
  if (name.equals('@request-target')) return addPseudo(':path');
  const path = requestHeaders.get(':path');
  if (path === null) return false;
  const mark = path.indexOf(63);
  if (name.equals('@path')) base.add(mark < 0 ? path : path.slice(0, mark));
  else if (name.equals('@query')) base.addByte(63).add(mark < 0 ? Bytes.of(0, 0) : path.slice(mark + 1));
  else if (name.equals('@target-uri')) {
    if (!addPseudo(':scheme')) return false;
    base.add('://');
    if (!addAuthority()) return false;
    base.add(path);
  } else if (name.equals('@query-param')) return addParameter(path, component.parameter!);
  else return false;
  return true;
}

function addPseudo(name: string): bool {
  const value = requestHeaders.get(name);
  if (value === null) return false;
  base.add(value);
  return true;
}

/** In lower case, without the scheme's own port (section 2.2.3). */
function addAuthority(): bool {
  const authority = requestHeaders.get(':authority');
  const scheme = requestHeaders.get(':scheme');
  if (authority === null || scheme === null) return false;
  const port = scheme.equals('https') ? ':443' : ':80';
  const end = authority.endsWith(port) ? authority.length - port.length : authority.length;
  for (let i = 0; i < end; i++) {
    const byte = authority.at(i);
    base.addByte(<u32>(byte - 65) < 26 ? byte + 32 : byte);
  }
  return true;
}

/** All values of a field, joined (section 2.1). In another spelling nobody has signed it, and a server behind may read it. */
function addField(name: Bytes): bool {
  const fields = requestHeaders.all();
  let found = false;
  while (fields.next()) {
    if (!isSpellingOf(fields.name, name)) continue;
    if (!fields.name.equals(name)) return false;
    if (found) base.add(', ');
    base.add(fields.value.trim());
    found = true;
  }
  return found;
}

/** The one value of a parameter of the query, decoded and encoded again (section 2.2.8). */
function addParameter(path: Bytes, name: Bytes): bool {
  parts.query(path);
  let found = false;
  while (parts.next()) {
    if (!isEncodingOf(parts.name, name)) continue;
    // Which of several counts would be a guess.
    if (found) return false;
    addEncoded(decodeQuery(parts.value, decoded));
    found = true;
  }
  return found;
}

/** Whether a name of the query is spelled in its one encoding as this. */
function isEncodingOf(spelled: Bytes, wanted: Bytes): bool {
  const from = base.length;
  addEncoded(decodeQuery(spelled, decoded));
  const same = base.view().slice(from).equals(wanted);
  base.truncate(from);
  return same;
}

/** As section 2.2.8 has it, which leaves other characters as they are than `encodePart`: both sides must write the same bytes. */
function addEncoded(text: Bytes): void {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const plain = <u32>((byte | 32) - 97) < 26 || <u32>(byte - 48) < 10;
    if (plain || byte == 42 || byte == 45 || byte == 46 || byte == 95) base.addByte(byte);
    else
      base
        .addByte(37)
        .addByte(DIGITS.charCodeAt(byte >> 4))
        .addByte(DIGITS.charCodeAt(byte & 15));
  }
}
