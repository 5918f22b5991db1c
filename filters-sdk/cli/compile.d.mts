export interface CompileRequest {
  /** The filter's entry file. */
  readonly entry: string;
  /** Where the module goes. Default: nowhere, it is in the result. */
  readonly outFile?: string;
  /**
   * The author's project: paths in messages and maps are relative to it, packages are looked for in it and
   * above. Default: the working directory.
   */
  readonly baseDir?: string;
  /** Names, assertions and no optimisation. */
  readonly debug?: boolean;
  readonly sourceMap?: boolean;
  /** The module counts how often each line of the author's sources runs: the test kit reads that. */
  readonly countLines?: boolean;
  /** URL of a folder that a debugger finds the sources of the map in. Default: the map's own folder. */
  readonly sourceRoot?: string;
  /** More options of the compiler. */
  readonly options?: readonly string[];
}

export interface Compiled {
  readonly ok: boolean;
  /** What the compiler printed. */
  readonly messages: string;
  /** The same, for programs. */
  readonly problems: readonly Problem[];
  /** The module, where there is one. */
  readonly binary: Uint8Array | null;
  /** The same module with the names of its functions. */
  readonly named: Uint8Array | null;
  /** JSON, where it was asked for. */
  readonly sourceMap: string | null;
  /** Every file that was read, or looked for and not there; absolute. For whoever watches them. */
  readonly files: readonly string[];
}

export interface Problem {
  readonly severity: 'error' | 'warning' | 'info';
  /** Of the compiler (`TS2304`, `AS100`); empty where the compiler has none. */
  readonly code: string;
  readonly message: string;
  /** What to do about it; empty where nothing is known. */
  readonly hint: string;
  readonly place: Place | null;
  /** Another place that the message is about. */
  readonly related: Place | null;
}

export interface Place {
  /** Relative to the project; of a package: `~lib/PACKAGE/FILE`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Characters on this line, at least 1. */
  readonly length: number;
  /** The line. */
  readonly text: string;
}

/**
 * Compiles a filter. Files are written whole or not at all, the source map before the module: a weir that
 * watches the folder never reads half of one. The same sources make the same bytes.
 */
export function compileFilter(request: CompileRequest): Promise<Compiled>;
