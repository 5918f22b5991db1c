import { allocate } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { ByteWriter } from './writer';

/**
 * Walks over the fields of a map:
 *
 *     const fields = requestHeaders.all();
 *     while (fields.next()) if (fields.name.equals(COOKIE)) …fields.value…
 *
 * `name` and `value` are moved on by `next`; like all views they end with the callback.
 *
 * Layout, integers u32 little-endian: count | count × (name size, value size) | count × (name NUL value NUL).
 */
@unmanaged
export class Pairs {
  /** Number of fields. */
  count: i32;
  name: Bytes;
  value: Bytes;
  private index: i32;
  private data: usize;
  private text: usize;

  /** The SDK's. */
  static read(data: usize, size: i32): Pairs {
    const pairs = changetype<Pairs>(allocate(offsetof<Pairs>()));
    pairs.name = Bytes.of(0, 0);
    pairs.value = Bytes.of(0, 0);
    pairs.data = data;
    // Hosts send an empty map as nothing, one zero byte, or a count of zero.
    pairs.count = size >= 4 ? load<i32>(data) : 0;
    pairs.rewind();
    return pairs;
  }

  /** Back to before the first field. */
  rewind(): void {
    this.index = 0;
    this.text = this.data + 4 + 8 * this.count;
  }

  next(): bool {
    const index = this.index;
    if (index >= this.count) return false;
    const sizes = this.data + 4 + 8 * index;
    const name = this.name;
    const value = this.value;
    name.start = this.text;
    name.length = load<i32>(sizes);
    value.start = name.start + name.length + 1;
    value.length = load<i32>(sizes, 4);
    this.text = value.start + value.length + 1;
    this.index = index + 1;
    return true;
  }

  /** On to the next field of this name. */
  nextNamed<N>(name: N): bool {
    if (isString<N>()) return this.nextNamed<Bytes>(encode(changetype<string>(name)));
    while (this.next()) if (this.name.equals<N>(name)) return true;
    return false;
  }
}

/** Puts fields together for a callout, a reply, or a whole map. Names must be lower-case. */
export class PairsWriter {
  private count: i32 = 0;
  private sizes: ByteWriter = new ByteWriter(64);
  private text: ByteWriter = new ByteWriter(256);
  private joined: ByteWriter = new ByteWriter(0);

  clear(): this {
    this.count = 0;
    this.sizes.clear();
    this.text.clear();
    this.joined.clear();
    return this;
  }

  add<N, V>(name: N, value: V): this {
    if (isString<N>()) return this.add<Bytes, V>(encode(changetype<string>(name)), value);
    if (isString<V>()) return this.add<N, Bytes>(name, encode(changetype<string>(value)));
    this.count++;
    this.sizes.addU32(sizeOf<N>(name)).addU32(sizeOf<V>(value));
    this.text.add<N>(name).addByte(0).add<V>(value).addByte(0);
    this.joined.clear();
    return this;
  }

  /** The fields in the ABI's layout. Joined once; later calls hand out the same bytes. */
  view(): Bytes {
    const joined = this.joined;
    if (joined.length == 0) joined.addU32(this.count).add(this.sizes.view()).add(this.text.view());
    return joined.view();
  }
}
