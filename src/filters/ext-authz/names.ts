import { Bytes, lower, view } from '@weir/filters-sdk/assembly';
import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';

/** Names of fields, in lower case; one that ends with `*` stands for all that begin so. */
export class Names {
  private list: ArrayBuffer[] = [];

  static of(names: string[]): Names {
    const all = new Names();
    for (let i = 0; i < names.length; i++) all.list.push(String.UTF8.encode(names[i]));
    return all;
  }

  /** @param items of a configuration */
  static read(items: JsonValue[]): Names {
    const names = new Names();
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (item.kind != JsonKind.String || item.text.byteLength == 0)
        faultAt(item, 'expected the name of a field, or its beginning with * behind it');
      else names.list.push(lowered(view(item.text)));
    }
    return names;
  }

  /** Those of another list as well. */
  take(others: Names): void {
    for (let i = 0; i < others.list.length; i++) this.list.push(others.list[i]);
  }

  /** @param name in lower case */
  has(name: Bytes): bool {
    const list = this.list;
    for (let i = 0; i < list.length; i++) {
      const known = view(unchecked(list[i]));
      const last = known.length - 1;
      if (known.at(last) == 42 ? name.startsWith(known.slice(0, last)) : name.equals(known)) return true;
    }
    return false;
  }
}

function lowered(name: Bytes): ArrayBuffer {
  const copy = name.copy();
  const start = changetype<usize>(copy);
  for (let i = 0; i < copy.byteLength; i++) store<u8>(start + i, <u8>lower(load<u8>(start + i)));
  return copy;
}
