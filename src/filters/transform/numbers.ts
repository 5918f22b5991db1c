import { Bytes } from '@weir/filters-sdk/assembly';
import { allocate } from '@weir/filters-sdk/assembly/arena';

/** A number as its digits, without zeros around them, and where the point is. */
@unmanaged
class Decimal {
  negative: bool;
  /** In the text: the first digit that counts, and behind the last one. The point may be between them. */
  from: i32;
  to: i32;
  /** Digits in front of the point, if it were moved there; nothing of zero. */
  exponent: i64;

  static of(text: Bytes): Decimal {
    const decimal = changetype<Decimal>(allocate(offsetof<Decimal>()));
    decimal.from = -1;
    decimal.to = 0;
    decimal.exponent = 0;
    decimal.negative = text.at(0) == 45;
    let point = -1;
    let leading: i64 = 0;
    let i = decimal.negative ? 1 : 0;
    for (; i < text.length; i++) {
      const byte = text.at(i);
      if (byte == 46) {
        point = i;
        continue;
      }
      if (<u32>(byte - 48) > 9) break;
      if (byte != 48) {
        if (decimal.from < 0) decimal.from = i;
        decimal.to = i + 1;
      }
      if (point < 0 && decimal.from >= 0) leading++;
      if (point >= 0 && decimal.from < 0) leading--;
    }
    if (decimal.from < 0) {
      decimal.negative = false;
      return decimal;
    }
    decimal.exponent = leading + exponentOf(text, i);
    return decimal;
  }
}

function exponentOf(text: Bytes, at: i32): i64 {
  if (at >= text.length) return 0;
  let value: i64 = 0;
  let negative = false;
  for (let i = at + 1; i < text.length; i++) {
    const byte = text.at(i);
    if (byte == 45) negative = true;
    // Beyond this no text is long enough to make up for it.
    else if (byte != 43) value = min<i64>(10 * value + byte - 48, 1_000_000_000_000);
  }
  return negative ? -value : value;
}

/** Whether two numbers have the same value, without rounding. */
export function sameNumber(left: Bytes, right: Bytes): bool {
  const a = Decimal.of(left);
  const b = Decimal.of(right);
  if (a.negative != b.negative || a.exponent != b.exponent || a.from < 0 || b.from < 0)
    return a.from < 0 && b.from < 0;
  let k = b.from;
  for (let i = a.from; i < a.to; i++) {
    if (left.at(i) == 46) continue;
    if (k < b.to && right.at(k) == 46) k++;
    if (k >= b.to || left.at(i) != right.at(k)) return false;
    k++;
  }
  return k == b.to;
}
