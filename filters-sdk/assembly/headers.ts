import { MapType, Status } from './abi';
import { expect } from './abort';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import {
  proxy_add_header_map_value,
  proxy_get_header_map_pairs,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_header_map_pairs,
} from './env';
import { Pairs, PairsWriter } from './pairs';

/**
 * The fields of one message. Names are lower-case; a request has `:method`, `:path` (with the query),
 * `:authority` and `:scheme` in front of the others, an answer `:status`. Names and values may be given as
 * string, `ArrayBuffer` or {@link Bytes}; a string is encoded on each call, so the names that every request
 * uses are better encoded once with `utf8('x-name')`.
 *
 * A map may be read from its message's first callback on, and changed until the message is sent on.
 */
@unmanaged
export class HeaderMap {
  // There is no object: the reference itself holds the map's number, plus one so that it is not null.
  private get type(): i32 {
    return <i32>changetype<usize>(this) - 1;
  }

  /** The first value of a field, or null. Policy must look at all of them: see {@link HeaderMap.all}. */
  get<N>(name: N): Bytes | null {
    if (isString<N>()) return this.get<Bytes>(encode(changetype<string>(name)));
    const status = proxy_get_header_map_value(this.type, startOf<N>(name), sizeOf<N>(name), out, out + 4);
    if (status == Status.NotFound) return null;
    // Envoy shows metadata of streams alone.
    if (status == Status.BadArgument && (this.type | 1) == MapType.GrpcTrailingMetadata) return null;
    expect(status, 'proxy_get_header_map_value');
    return Bytes.of(load<usize>(out), load<i32>(out, 4));
  }

  has<N>(name: N): bool {
    return this.get<N>(name) !== null;
  }

  /** All fields in order, repeated names included. */
  all(): Pairs {
    expect(proxy_get_header_map_pairs(this.type, out, out + 4), 'proxy_get_header_map_pairs');
    return Pairs.read(load<usize>(out), load<i32>(out, 4));
  }

  /**
   * Sets a field to one value, in place of those it had.
   *
   * @returns false where the host refused it: not a field name or value, or one that filters may not set
   */
  set<N, V>(name: N, value: V): bool {
    if (isString<N>()) return this.set<Bytes, V>(encode(changetype<string>(name)), value);
    if (isString<V>()) return this.set<N, Bytes>(name, encode(changetype<string>(value)));
    const status = proxy_replace_header_map_value(
      this.type,
      startOf<N>(name),
      sizeOf<N>(name),
      startOf<V>(value),
      sizeOf<V>(value),
    );
    return status == Status.Ok;
  }

  /** Adds a value to those that the field has. False as in {@link HeaderMap.set}. */
  add<N, V>(name: N, value: V): bool {
    if (isString<N>()) return this.add<Bytes, V>(encode(changetype<string>(name)), value);
    if (isString<V>()) return this.add<N, Bytes>(name, encode(changetype<string>(value)));
    const status = proxy_add_header_map_value(
      this.type,
      startOf<N>(name),
      sizeOf<N>(name),
      startOf<V>(value),
      sizeOf<V>(value),
    );
    return status == Status.Ok;
  }

  /** Removes every value of a field; nothing where there is none. */
  remove<N>(name: N): bool {
    if (isString<N>()) return this.remove<Bytes>(encode(changetype<string>(name)));
    return proxy_remove_header_map_value(this.type, startOf<N>(name), sizeOf<N>(name)) == Status.Ok;
  }

  /** Replaces all fields. */
  replaceAll(fields: PairsWriter): bool {
    const data = fields.view();
    return proxy_set_header_map_pairs(this.type, data.start, data.length) == Status.Ok;
  }
}

/** Of the request; readable in callbacks of the answer too. */
export const requestHeaders = changetype<HeaderMap>(<usize>MapType.RequestHeaders + 1);
/** Behind the request's body, where it has any. */
export const requestTrailers = changetype<HeaderMap>(<usize>MapType.RequestTrailers + 1);
/** Of the answer, from `onResponseHeaders` on. */
export const responseHeaders = changetype<HeaderMap>(<usize>MapType.ResponseHeaders + 1);
/** Behind the answer's body. Writing one in the body callback for the last bytes adds it. */
export const responseTrailers = changetype<HeaderMap>(<usize>MapType.ResponseTrailers + 1);

/** Short for `requestHeaders.get(name)`. */
export function requestHeader<N>(name: N): Bytes | null {
  return requestHeaders.get<N>(name);
}

/** Short for `responseHeaders.get(name)`. */
export function responseHeader<N>(name: N): Bytes | null {
  return responseHeaders.get<N>(name);
}
