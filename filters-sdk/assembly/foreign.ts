import { Status } from './abi';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { proxy_call_foreign_function } from './env';

/**
 * Calls a function that the host offers by name beyond the ABI; what weir offers stands in docs/foreign-functions.md.
 *
 * @returns what it answers, or null where it failed or the host does not know it: `foreignUnknown` tells which
 */
export function callForeign<A>(name: string, args: A): Bytes | null {
  if (isString<A>()) return callForeign<Bytes>(name, encode(changetype<string>(args)));
  const known = encode(name);
  store<u64>(out, 0);
  status = proxy_call_foreign_function(
    known.start,
    known.length,
    startOf<A>(args),
    sizeOf<A>(args),
    out,
    out + 4,
  );
  return status == Status.Ok ? Bytes.of(load<usize>(out), load<i32>(out, 4)) : null;
}

let status: i32 = 0;

/** Whether the host did not know the function of the last call. */
export function foreignUnknown(): bool {
  return status == Status.NotFound || status == Status.Unimplemented;
}

/** The route is found again for the request as it is now, after the last filter. */
export function clearRouteCache(): bool {
  return callForeign('clear_route_cache', '') !== null;
}

/** In zlib format (RFC 1950); weir takes up to 256 KiB. Null where the host cannot. */
export function compress<D>(data: D): Bytes | null {
  return callForeign<D>('compress', data);
}

/** The other way round; null where it is not in that format, or larger than the host allows. */
export function uncompress<D>(data: D): Bytes | null {
  return callForeign<D>('uncompress', data);
}

/** Dynamic metadata of the stream, read as `metadata.filter_metadata.<namespace>.<key>`. Of weir alone. */
export function setMetadata(namespace: string, key: string, value: string): bool {
  return callForeign('weir.set_metadata', namespace + '\0' + key + '\0' + value) !== null;
}
