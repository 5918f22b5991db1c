import { ByteWriter, Bytes, requestHeaders, view } from '@weir/filters-sdk/assembly';
import { Parts, decodeQuery, encodePart } from '@weir/filters-sdk/assembly/parts';

const parts = new Parts();
const decoded = new ByteWriter(64);
const path = new ByteWriter(512);

/**
 * Takes parameters out of the query of the running request, in whatever spelling, and sets others, which come last.
 *
 * @param set names and values, one behind the other
 */
export function changeQuery(set: ArrayBuffer[], removed: ArrayBuffer[]): void {
  const target = requestHeaders.get(':path');
  if (target === null) return;
  const mark = target.indexOf(63);
  path.clear().add(mark < 0 ? target : target.slice(0, mark));
  let separator = 63;
  parts.query(target);
  while (parts.next()) {
    const name = decodeQuery(parts.name, decoded);
    if (parts.whole.length == 0 || isNamed(set, 2, name) || isNamed(removed, 1, name)) continue;
    path.addByte(separator).add(parts.whole);
    separator = 38;
  }
  for (let i = 0; i + 1 < set.length; i += 2) {
    path.addByte(separator);
    encodePart(view(set[i]), path);
    path.addByte(61);
    encodePart(view(set[i + 1]), path);
    separator = 38;
  }
  requestHeaders.set(':path', path.view());
}

function isNamed(names: ArrayBuffer[], step: i32, name: Bytes): bool {
  for (let i = 0; i < names.length; i += step) if (name.equals(names[i])) return true;
  return false;
}
