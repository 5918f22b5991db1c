import type { CompiledModule } from '../module.ts';
import { isOfToolchain, printPlace, type SourcePlace } from './place.ts';
import { readableName } from './names.ts';
import { findPlace } from './symbols.ts';

/** Guest functions that a message names at least, from the top of the stack. */
const FRAMES = 3;
/** A guest's line of a stack: its name where the module has a name section, then its number and offset. */
const FRAME = /at (?:(.+) \()?wasm:\/\/.*(wasm-function\[(\d+)\]:0x([0-9a-f]+))/;

interface Frame {
  readonly text: string;
  readonly place: SourcePlace | null;
}

/** What happened, and the guest functions on top of the stack, down to the first that its author wrote. */
export function describe(error: unknown, module: CompiledModule): string {
  if (!(error instanceof Error)) return String(error);
  const frames = framesOf(error, module);
  if (frames.length === 0) return error.message;
  const own = frames.findIndex(({ place }) => place !== null && !isOfToolchain(place));
  const shown = frames.slice(0, FRAMES).map(({ text }) => text);
  if (own > FRAMES) shown.push('…');
  if (own >= FRAMES) shown.push(frames[own]!.text);
  return `${error.message} in ${shown.join(' < ')}`;
}

function framesOf(error: Error, module: CompiledModule): Frame[] {
  const frames: Frame[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const found = FRAME.exec(line);
    // Functions behind the module's own are the meter's.
    if (found === null || Number(found[3]) >= module.ownFunctions) continue;
    const place = findPlace(module, Number.parseInt(found[4]!, 16));
    const name = found[1] === undefined ? found[2]! : readableName(found[1]);
    frames.push({ text: place === null ? name : `${name} (${printPlace(place)})`, place });
  }
  return frames;
}
