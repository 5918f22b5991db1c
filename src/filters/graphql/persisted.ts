import { Bytes } from '@weir/filters-sdk/assembly';
import { sha256 } from '@weir/filters-sdk/assembly/sha256';

const SIZE = 32;
const digest = memory.data(SIZE);

/** SHA-256 of the documents that may be asked for. */
export class Persisted {
  private digests: ArrayBuffer[] = [];

  /** False where the text is no digest in hexadecimal. */
  add(text: Bytes): bool {
    if (!readHex(text)) return false;
    this.digests.push(Bytes.of(digest, SIZE).copy());
    return true;
  }

  hasText(document: Bytes): bool {
    sha256(document.start, document.length, digest);
    return this.hasDigest();
  }

  /** @param hex of its digest */
  hasHash(hex: Bytes): bool {
    return readHex(hex) && this.hasDigest();
  }

  private hasDigest(): bool {
    const wanted = Bytes.of(digest, SIZE);
    for (let i = 0; i < this.digests.length; i++) {
      if (load<u64>(changetype<usize>(this.digests[i])) != load<u64>(digest)) continue;
      if (wanted.equals(this.digests[i])) return true;
    }
    return false;
  }
}

function readHex(text: Bytes): bool {
  if (text.length != 2 * SIZE) return false;
  for (let i = 0; i < SIZE; i++) {
    const high = hexOf(text.at(2 * i));
    const low = hexOf(text.at(2 * i + 1));
    if (high < 0 || low < 0) return false;
    store<u8>(digest + i, (high << 4) | low);
  }
  return true;
}

function hexOf(byte: i32): i32 {
  if (<u32>(byte - 48) < 10) return byte - 48;
  return <u32>((byte | 32) - 97) < 6 ? (byte | 32) - 87 : -1;
}
