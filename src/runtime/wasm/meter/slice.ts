/**
 * The host's end of the meter: one function for all instances, which a metered guest calls when its slice
 * of fuel is used up. It lies in a table of the instance; an import would move the module's own indexes.
 */

/** Whom a guest asks for more fuel. */
export interface FuelSource {
  /** @returns whether the guest may go on */
  more(): boolean;
}

/** `(import "" "more" (func (param externref) (result i32))) (export "more" (func 0))` */
const TRAMPOLINE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[1, 6, 1, 0x60, 1, 0x6f, 1, 0x7f],
  ...[2, 9, 1, 0, 4, 0x6d, 0x6f, 0x72, 0x65, 0, 0],
  ...[7, 8, 1, 4, 0x6d, 0x6f, 0x72, 0x65, 0, 0],
);

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(TRAMPOLINE), {
  '': { more: (source: FuelSource): number => (source.more() ? 1 : 0) },
});

export const MORE = exports.more as WebAssembly.ExportValue;
