/** A place in a source file; line and column from 1, a column of 0 where it is not known. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export function printPlace({ file, line, column }: SourcePlace): string {
  return column === 0 ? `${file}:${line}` : `${file}:${line}:${column}`;
}

/** Sources that come with a compiler: what an author looks for lies behind them. */
const OF_TOOLCHAIN =
  /^~lib\/|\/rustc\/|(^|\/)library\/(core|std|alloc|panic_|compiler)|\/\.cargo\/registry\/|\/usr\/(lib|local|share)\//;

export function isOfToolchain({ file }: SourcePlace): boolean {
  return OF_TOOLCHAIN.test(file);
}
