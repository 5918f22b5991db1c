import { Status } from './abi';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf, utf8 } from './bytes';
import { proxy_get_property, proxy_set_property } from './env';

/**
 * Encodes a property's path once: `propertyPath('source.address')`. Segments are parted by dots; a segment that
 * holds dots itself is written in brackets, `propertyPath('metadata.filter_metadata[envoy.lb].canary')`.
 */
export function propertyPath(text: string): ArrayBuffer {
  const buffer = utf8(text);
  const start = changetype<usize>(buffer);
  let length = 0;
  let bracket = false;
  for (let i = 0; i < buffer.byteLength; i++) {
    let byte: i32 = load<u8>(start + i);
    if (byte == 93 && bracket) {
      bracket = false;
      continue;
    }
    if (!bracket && (byte == 46 || byte == 91)) {
      bracket = byte == 91;
      byte = 0;
      // `].` is one boundary, not two.
      if (length > 0 && load<u8>(start + length - 1) == 0) continue;
    }
    store<u8>(start + length++, byte);
  }
  return length == buffer.byteLength ? buffer : buffer.slice(0, length);
}

/** A property's bytes, or null where the host does not have it here. Text stands as it is. */
export function property<P>(path: P): Bytes | null {
  if (isString<P>()) return property<ArrayBuffer>(propertyPath(changetype<string>(path)));
  const status = proxy_get_property(startOf<P>(path), sizeOf<P>(path), out, out + 4);
  if (status != Status.Ok) return null;
  return Bytes.of(load<usize>(out), load<i32>(out, 4));
}

/**
 * A property that is a number, a time or a duration (nanoseconds), or `missing`. Hosts that hand numbers
 * over as text are understood too.
 */
export function integerProperty<P>(path: P, missing: i64): i64 {
  const bytes = property<P>(path);
  if (bytes === null) return missing;
  if (bytes.length == 8) return load<i64>(bytes.start);
  const number = bytes.toUnsigned();
  return number < 0 ? missing : number;
}

/** A property that is a number with a fraction, or `missing`. */
export function floatProperty<P>(path: P, missing: f64): f64 {
  const bytes = property<P>(path);
  return bytes !== null && bytes.length == 8 ? load<f64>(bytes.start) : missing;
}

/** A property that is true or false, or `missing`. */
export function booleanProperty<P>(path: P, missing: bool): bool {
  const bytes = property<P>(path);
  if (bytes === null) return missing;
  if (bytes.length == 1) return bytes.at(0) == 1;
  return bytes.equals('true');
}

/** Stored for the life of the stream, readable by every later filter. False where there is no stream. */
export function setProperty<P, V>(path: P, value: V): bool {
  if (isString<P>()) return setProperty<ArrayBuffer, V>(propertyPath(changetype<string>(path)), value);
  if (isString<V>()) return setProperty<P, Bytes>(path, encode(changetype<string>(value)));
  const status = proxy_set_property(startOf<P>(path), sizeOf<P>(path), startOf<V>(value), sizeOf<V>(value));
  return status == Status.Ok;
}
