import { CALLBACKS, HTTP_PHASES, TCP_PHASES } from '../runtime/wasm/abi.ts';
import { readShape } from '../runtime/wasm/binary.ts';
import { BinaryError } from '../runtime/wasm/cursor.ts';

/** Which kinds of streams a module has callbacks for. */
export interface ModuleProtocols {
  readonly http: boolean;
  readonly tcp: boolean;
}

/**
 * Told by what the module exports. Modules of SDKs that always export everything claim both; null
 * where the bytes cannot be read, which the workers will say better.
 */
export function protocolsOf(bytes: Uint8Array): ModuleProtocols | null {
  try {
    const { exports } = readShape(bytes);
    let wants = 0;
    for (const row of CALLBACKS) if (exports.has(row.name)) wants |= row.wants;
    return { http: (wants & HTTP_PHASES) !== 0, tcp: (wants & TCP_PHASES) !== 0 };
  } catch (error) {
    if (error instanceof BinaryError) return null;
    throw error;
  }
}
