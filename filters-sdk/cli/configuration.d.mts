import type { Parser } from 'assemblyscript';

/** A step of the AssemblyScript compiler. */
export default class Configuration {
  /** Set by the compiler. */
  program: { error(code: number, range: { start: number; end: number }, message: string): void };
  afterParse(parser: Parser): void;
}
