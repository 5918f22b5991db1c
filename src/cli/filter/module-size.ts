import { readShape, Section } from '../../runtime/wasm/binary.ts';
import { Cursor } from '../../runtime/wasm/cursor.ts';

export interface Part {
  readonly name: string;
  readonly bytes: number;
}

/** Bytes of a module by section, in the order of the file, heads of sections included. Sums up to all but 8. */
export function sectionSizes(binary: Uint8Array): Part[] {
  return readShape(binary).sections.map(({ id, start, content, end }) => {
    const cursor = new Cursor(binary);
    cursor.at = content;
    return { name: id === Section.Custom ? cursor.name() : SECTION_NAMES[id]!, bytes: end - start };
  });
}

/**
 * Bytes of code by function, the biggest first.
 *
 * @param named a module with its `name` section; a function without a name is called by its number
 */
export function functionSizes(named: Uint8Array): Part[] {
  const { sections, imports, exports } = readShape(named);
  const code = sections.find(({ id }) => id === Section.Code);
  if (code === undefined) return [];
  const names = new Map<number, string>();
  for (const [name, { kind, index }] of exports) if (kind === 0) names.set(index, name);
  for (const [index, name] of functionNames(named)) names.set(index, name);
  const cursor = new Cursor(named);
  cursor.at = code.content;
  const functions: Part[] = [];
  let index = imports.filter(({ kind }) => kind === 0).length;
  for (let left = cursor.u32(); left > 0; left--, index++) {
    const bytes = cursor.u32();
    functions.push({ name: names.get(index) ?? `function ${index}`, bytes });
    cursor.skip(bytes);
  }
  return functions.sort((a, b) => b.bytes - a.bytes);
}

const SECTION_NAMES = Object.fromEntries(
  Object.entries(Section).map(([name, id]) => [id, name.toLowerCase()]),
) as Record<number, string>;

/** Subsection 1 of the `name` section. */
function functionNames(binary: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  for (const { id, content, end } of readShape(binary).sections) {
    if (id !== Section.Custom) continue;
    const cursor = new Cursor(binary);
    cursor.at = content;
    if (cursor.name() !== 'name') continue;
    while (cursor.at < end) {
      const kind = cursor.byte();
      const size = cursor.u32();
      const next = cursor.at + size;
      if (kind === 1) for (let left = cursor.u32(); left > 0; left--) names.set(cursor.u32(), cursor.name());
      cursor.at = next;
    }
  }
  return names;
}
