/** What the custom sections of a name hold, in their order. @throws Error where the module is cut off */
export function readSections(bytes: Uint8Array, name: string): Uint8Array[];
/** The module with one custom section of this name, at its end, in place of those that it had. */
export function withSection(bytes: Uint8Array, name: string, content: Uint8Array | string): Uint8Array;
/** The module without its custom sections of this name. */
export function withoutSections(bytes: Uint8Array, name: string): Uint8Array;

export interface ModuleSection {
  readonly id: number;
  /** Offset of its first byte, its number. */
  readonly start: number;
  readonly end: number;
  /** Null where it is not a custom section. */
  readonly name: string | null;
  /** Of a custom section, behind its name. */
  readonly content: Uint8Array;
}
/** Every section in its order. */
export function sections(bytes: Uint8Array): Generator<ModuleSection>;
