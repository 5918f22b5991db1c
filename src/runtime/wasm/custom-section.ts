import { readShape, Section } from './binary.ts';
import { Cursor } from './cursor.ts';

/**
 * The content of the first custom section of this name; null where there is none.
 *
 * @throws BinaryError where the module's structure is broken
 */
export function customSection(module: Uint8Array, name: string): Uint8Array | null {
  const cursor = new Cursor(module);
  for (const { id, content, end } of readShape(module).sections) {
    if (id !== Section.Custom) continue;
    cursor.at = content;
    cursor.end = end;
    if (cursor.name() === name) return module.subarray(cursor.at, end);
  }
  return null;
}

/** The same as UTF-8 text; null where it is none. */
export function customText(module: Uint8Array, name: string): string | null {
  const content = customSection(module, name);
  if (content === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return null;
  }
}
