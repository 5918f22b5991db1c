import loadWabt from 'wabt';

const wabt = await loadWabt();

/** All that its reader knows and the engine may have. */
const FEATURES = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  extended_const: true,
  relaxed_simd: true,
} as const;

/**
 * A module from WebAssembly's text form. It is not validated: the engine does that.
 *
 * @throws Error where the text is not well formed
 */
export function wat(text: string): Uint8Array {
  const module = wabt.parseWat('test.wat', text, FEATURES);
  try {
    module.resolveNames();
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}
