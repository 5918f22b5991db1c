const SMALL_BYTES = 64;

/** Where a foreign function leaves its result; one for the worker, filled and read within one host call. */
export class ForeignResult {
  /** Room for results of a fixed, small size: written in place, then `length` set. */
  readonly small = Buffer.alloc(SMALL_BYTES);
  bytes: Uint8Array = this.small;
  length = 0;

  clear(): void {
    this.bytes = this.small;
    this.length = 0;
  }

  set(bytes: Uint8Array, length = bytes.length): void {
    this.bytes = bytes;
    this.length = length;
  }
}
