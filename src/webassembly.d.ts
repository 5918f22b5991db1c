/**
 * The part of the WebAssembly JavaScript interface that weir uses. TypeScript describes it only together
 * with the whole browser.
 */
declare namespace WebAssembly {
  type ImportValue = (...values: never[]) => number | bigint | void;
  type Imports = Record<string, Record<string, ImportValue>>;
  type ExportValue = ((...values: number[]) => number) | Memory | Table | object;
  type Exports = Record<string, ExportValue | undefined>;

  class Module {
    constructor(bytes: Uint8Array);
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  class Instance {
    readonly exports: Exports;
    constructor(module: Module, imports?: Imports);
  }

  class Memory {
    readonly buffer: ArrayBuffer;
    constructor(descriptor: { initial: number; maximum?: number });
    grow(pages: number): number;
  }

  class Table {
    set(index: number, value: ExportValue): void;
  }

  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}

  function validate(bytes: Uint8Array): boolean;
  function compile(bytes: Uint8Array): Promise<Module>;
}
