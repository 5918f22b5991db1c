// Addresses of the network, as properties and configurations have them.
import { Bytes } from './bytes';

/** IPv4 addresses are kept as the IPv6 addresses that they are mapped to (RFC 4291, section 2.5.5.2). */
const MAPPED = 96;

/** An address: two halves, most significant first. */
export class Address {
  high: u64 = 0;
  low: u64 = 0;

  get isMapped(): bool {
    return this.high == 0 && this.low >> 32 == 0xffff;
  }

  /** The first half of an IPv4 address, the first quarter of others: what one looks for it by. Two may share one. */
  get kin(): u32 {
    return this.isMapped ? <u32>(this.low >> 16) : <u32>(this.high >> 32);
  }

  /** Reads `192.0.2.1`, `2001:db8::1` or `::ffff:192.0.2.1`; false where it is none. A zone is left out. */
  read(text: Bytes): bool {
    const zone = text.indexOf(37);
    if (zone >= 0) text = text.slice(0, zone);
    if (text.indexOf(58) >= 0) return this.readV6(text);
    const v4 = readV4(text);
    if (v4 < 0) return false;
    this.high = 0;
    this.low = 0xffff00000000 | (<u64>v4);
    return true;
  }

  private readV6(text: Bytes): bool {
    this.high = 0;
    this.low = 0;
    const length = text.length;
    let groups = 0;
    /** Groups before `::`; -1: there was none yet. */
    let gap = -1;
    let at = 0;
    if (length >= 2 && text.at(0) == 58) {
      if (text.at(1) != 58) return false;
      gap = 0;
      at = 2;
    }
    while (at < length) {
      let end = text.indexOf(58, at);
      if (end < 0) end = length;
      const part = text.slice(at, end);
      if (part.indexOf(46) >= 0) {
        const v4 = end == length ? readV4(part) : -1;
        if (v4 < 0 || groups > 6) return false;
        this.push((<u64>v4) >> 16);
        this.push((<u64>v4) & 0xffff);
        groups += 2;
        at = length;
        break;
      }
      const group = readGroup(part);
      if (group < 0 || groups == 8) return false;
      this.push(<u64>group);
      groups++;
      at = end;
      if (at == length) break;
      at++;
      if (at == length) return false;
      if (text.at(at) != 58) continue;
      if (gap >= 0) return false;
      gap = groups;
      at++;
    }
    if (gap < 0) return groups == 8;
    if (groups > 7) return false;
    this.widen(gap, groups);
    return true;
  }

  /** Shifts a group in from the right. */
  private push(group: u64): void {
    this.high = (this.high << 16) | (this.low >> 48);
    this.low = (this.low << 16) | group;
  }

  /** Puts zeros behind the first `gap` of the `groups` that were pushed. */
  private widen(gap: i32, groups: i32): void {
    const behind = groups - gap;
    let high: u64 = 0;
    let low: u64 = 0;
    for (let i = 0; i < 8; i++) {
      // Index of the group among those that were pushed, from the left; zeros between.
      const from = i < gap ? i : i >= 8 - behind ? i - (8 - groups) : -1;
      const group = from < 0 ? 0 : this.group(groups - 1 - from);
      high = (high << 16) | (low >> 48);
      low = (low << 16) | group;
    }
    this.high = high;
    this.low = low;
  }

  /** A group by its number from the right. */
  private group(fromRight: i32): u64 {
    const word = fromRight < 4 ? this.low : this.high;
    return (word >> (<u64>(fromRight & 3) * 16)) & 0xffff;
  }
}

/** A range of addresses: `10.0.0.0/8`, or one address. */
export class Block {
  private base: Address = new Address();
  private bits: i32 = 0;
  private highMask: u64 = 0;
  private lowMask: u64 = 0;

  /** Null where the text is none, or has bits behind its prefix. */
  static read(text: Bytes): Block | null {
    const block = new Block();
    const slash = text.indexOf(47);
    if (!block.base.read(slash < 0 ? text : text.slice(0, slash))) return null;
    const isV4 = text.indexOf(58) < 0;
    const most = isV4 ? 32 : 128;
    const bits = slash < 0 ? most : <i32>text.slice(slash + 1).toUnsigned();
    if (bits < 0 || bits > most || text.indexOf(37) >= 0) return null;
    block.bits = isV4 ? bits + MAPPED : bits;
    block.highMask = maskOf(block.bits);
    block.lowMask = maskOf(block.bits - 64);
    const base = block.base;
    const isWhole = base.high == (base.high & block.highMask) && base.low == (base.low & block.lowMask);
    return isWhole ? block : null;
  }

  /** The group of all its addresses; -1 where they have several. */
  get kin(): i64 {
    const base = this.base;
    // What begins with zeros may have IPv4 addresses in it.
    const least = base.isMapped ? MAPPED + 16 : base.high == 0 ? MAPPED : 32;
    return this.bits < least ? -1 : base.kin;
  }

  /** @param wide whether `::/0` and its like take IPv4 addresses too */
  has(address: Address, wide: bool): bool {
    if (this.bits < MAPPED && address.isMapped && !wide) return false;
    const base = this.base;
    return (address.low & this.lowMask) == base.low && (address.high & this.highMask) == base.high;
  }
}

/** The first bits of a word; none for less than 1, all for more than 63. */
function maskOf(bits: i32): u64 {
  return bits <= 0 ? 0 : bits >= 64 ? u64.MAX_VALUE : u64.MAX_VALUE << (64 - bits);
}

/** -1 where it is none. Four parts, decimal, without zeros in front: others read `010` as octal. */
function readV4(text: Bytes): i64 {
  let value: i64 = 0;
  let at = 0;
  for (let part = 0; part < 4; part++) {
    const dot = text.indexOf(46, at);
    const end = part == 3 ? text.length : dot;
    if (end < 0 || (part == 3 && dot >= 0) || end - at > 3) return -1;
    const number = text.slice(at, end).toUnsigned();
    if (number < 0 || number > 255 || (end - at > 1 && text.at(at) == 48)) return -1;
    value = (value << 8) | number;
    at = end + 1;
  }
  return value;
}

/** One to four hexadecimal digits, or -1. */
function readGroup(text: Bytes): i32 {
  if (text.length < 1 || text.length > 4) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const digit = <u32>(byte - 48) < 10 ? byte - 48 : <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
    if (digit < 0) return -1;
    value = (value << 4) | digit;
  }
  return value;
}
