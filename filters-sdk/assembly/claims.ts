// Claims about somebody in a JSON object: of a token, or of what a server says of one.
import { Bytes, view } from './bytes';
import { Config, JsonKind, JsonValue, faultAt } from './config';
import { fieldName } from './fields';
import { ByteWriter } from './writer';

const joined = new ByteWriter(256);

/** Where a claim is. */
export class Claim {
  /** @param path names from the outermost object to the claim */
  constructor(readonly path: ArrayBuffer[]) {}

  /** Reads a name, or a list of names from the outermost object inwards. */
  static read(value: JsonValue): Claim {
    if (value.kind == JsonKind.String) return new Claim([value.text]);
    const path: ArrayBuffer[] = [];
    if (value.kind != JsonKind.Array || value.items.length == 0)
      faultAt(value, 'expected a name, or a list of names');
    for (let i = 0; i < value.items.length; i++) {
      if (value.items[i].kind != JsonKind.String) faultAt(value.items[i], 'expected a string');
      path.push(value.items[i].text);
    }
    return new Claim(path);
  }

  find(claims: JsonValue): JsonValue | null {
    let value: JsonValue | null = claims;
    for (let i = 0; i < this.path.length && value !== null; i++) {
      value = value.kind == JsonKind.Object ? memberOf(value, view(this.path[i])) : null;
    }
    return value;
  }

  /** The claim where it is a string that is not empty. */
  text(claims: JsonValue): ArrayBuffer | null {
    const value = this.find(claims);
    return value !== null && value.kind == JsonKind.String && value.text.byteLength > 0 ? value.text : null;
  }
}

function memberOf(object: JsonValue, name: Bytes): JsonValue | null {
  const items = object.items;
  for (let i = 0; i < items.length; i++) if (name.equals(items[i].name)) return items[i];
  return null;
}

/** A claim that goes upstream in a header. */
export class ClaimHeader {
  constructor(
    public claim: Claim,
    public header: ArrayBuffer,
  ) {}

  /** Reads `{claim, header}` each; adds the headers to those that come from nobody else. */
  static readAll(items: JsonValue[], owned: ArrayBuffer[]): ClaimHeader[] {
    const list: ClaimHeader[] = [];
    for (let i = 0; i < items.length; i++) {
      const config = Config.of(items[i]);
      const claim = config.required('claim');
      const header = fieldName(config.text('header'));
      if (header === null) faultAt(items[i], '"header" must be the name of a field that filters may change');
      else {
        list.push(new ClaimHeader(claim === null ? new Claim([]) : Claim.read(claim), header));
        owned.push(header);
      }
      config.end();
    }
    return list;
  }

  /** Its value for a header: a string as it is, strings of a list joined by commas, else JSON. Null: it is not there. */
  textIn(claims: JsonValue, text: Bytes): ArrayBuffer | null {
    const value = this.claim.find(claims);
    return value === null ? null : claimText(value, text);
  }
}

/**
 * A string as it is, strings of a list joined by commas, anything else as JSON text.
 *
 * @param text what the claims were read from
 */
function claimText(claim: JsonValue, text: Bytes): ArrayBuffer {
  if (claim.kind == JsonKind.String) return claim.text;
  if (claim.kind != JsonKind.Array) return text.slice(claim.offset, claim.end).copy();
  joined.clear();
  for (let i = 0; i < claim.items.length; i++) {
    const item = claim.items[i];
    if (i > 0) joined.addByte(44);
    if (item.kind == JsonKind.String) joined.add(item.text);
    else joined.add(text.slice(item.offset, item.end));
  }
  return joined.copy();
}

/**
 * A NumericDate (RFC 7519, section 2) in milliseconds.
 *
 * @param missing what stands for one that is not there
 * @returns -1 where it is something else
 */
export function claimTime(claims: JsonValue, name: string, missing: i64): i64 {
  const value = claims.get(name);
  if (value === null) return missing;
  if (value.kind != JsonKind.Number || !(value.number >= 0) || value.number > 9e12) return -1;
  return <i64>(value.number * 1000);
}
