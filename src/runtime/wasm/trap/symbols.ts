import type { CompiledModule } from '../module.ts';
import { inTurns } from '../turns.ts';
import { ByteReader, BrokenSection } from './byte-reader.ts';
import { LineTable } from './line-table.ts';
import type { SourcePlace } from './place.ts';
import { SourceMap } from './source-map.ts';

const DATA_URL = /^data:application\/json(?:;charset=[^;,]+)?;base64,/;
const NO_BYTES = new Uint8Array(0);

/** Where code of a module comes from: its source map, or the line table that its compiler left in it. */
interface Symbols {
  readonly map: SourceMap | null;
  readonly lines: LineTable | null;
  readonly originalOffset: (at: number) => number;
}

/** Read after the first trap of a module, and kept as long as its code is; null while that goes on. */
const known = new WeakMap<WebAssembly.Module, Symbols | null>();

/**
 * The place in a source file of a place in the code; null where it is not known, or not yet.
 *
 * @param offset in the bytes that run, as a stack of the engine names it
 */
export function findPlace(module: CompiledModule, offset: number): SourcePlace | null {
  const symbols = known.get(module.code) ?? null;
  if (symbols === null) return null;
  const at = symbols.originalOffset(offset);
  return symbols.map?.find(at) ?? symbols.lines?.find(at - module.codeStart) ?? null;
}

/**
 * Reads what a module tells of its sources, a few milliseconds at a time.
 *
 * @returns null where there is nothing to wait for: the module tells nothing, it has been read, or somebody
 *   reads it
 */
export function loadSymbols(module: CompiledModule): Promise<void> | null {
  const { code } = module;
  if (known.has(code)) return null;
  const text = module.sourceMap === null ? embeddedMap(code) : Buffer.from(module.sourceMap).toString('utf8');
  const section = custom(code, '.debug_line');
  if (text === null && section.length === 0) return null;
  known.set(code, null);
  return load(module, text, section);
}

async function load(module: CompiledModule, text: string | null, section: Uint8Array): Promise<void> {
  const { code } = module;
  const map = text === null ? null : SourceMap.parse(text);
  const strings = { line: custom(code, '.debug_line_str'), plain: custom(code, '.debug_str') };
  const lines = await inTurns(LineTable.steps(section, strings));
  if (map === null && lines === null) return;
  known.set(code, { map, lines, originalOffset: await module.originalOffsets() });
}

/** A map inside the module: `sourceMappingURL` with a data URL. Other URLs are nothing that a worker opens. */
function embeddedMap(code: WebAssembly.Module): string | null {
  for (const section of WebAssembly.Module.customSections(code, 'sourceMappingURL')) {
    const url = urlOf(new Uint8Array(section));
    const head = DATA_URL.exec(url)?.[0];
    if (head !== undefined) return Buffer.from(url.slice(head.length), 'base64').toString('utf8');
  }
  return null;
}

/** Empty where the section is broken. */
function urlOf(section: Uint8Array): string {
  try {
    const reader = new ByteReader(section);
    const size = reader.uleb();
    return Buffer.from(section.subarray(reader.at, reader.at + size)).toString('latin1');
  } catch (error) {
    if (error instanceof BrokenSection) return '';
    throw error;
  }
}

function custom(code: WebAssembly.Module, name: string): Uint8Array {
  const [section] = WebAssembly.Module.customSections(code, name);
  return section === undefined ? NO_BYTES : new Uint8Array(section);
}
