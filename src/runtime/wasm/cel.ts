import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { LinearRegex } from '../regex.ts';
import { PatternError } from '../regex-parse.ts';
import { instrument, checkFunctions } from './cel-tree.ts';
import { AttributeGroup, fromCel, toCel, UnencodableError, type CelValue } from './cel-values.ts';
import { EXPRESSION_BYTES, EXPRESSION_STEPS, PATTERN_BYTES } from './limits.ts';
import type { AttributeValue } from './stream-host.ts';

/** An expression that cannot be compiled, or whose evaluation failed. */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionError';
  }
}

/** Finds an attribute by its path, segments joined by one NUL. */
export type AttributeLookup = (path: string) => AttributeValue | undefined;

/** What `matches` is called inside: the library's own one backtracks. */
const MATCHES = 'matchesLinear';
const COMPILE_STEPS_PER_BYTE = 10;
const PATTERNS = 64;

// The state of the evaluation that runs. There is one at a time: nothing in it can call a guest.
let stepsLeft = 0;
let lookUp: AttributeLookup = () => undefined;

/** Takes `steps` from what is left of an evaluation. @throws ExpressionError where that is not enough */
function charge(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new ExpressionError(`it takes more than ${EXPRESSION_STEPS} steps`);
}

/** Variables of an expression: each is looked up when it is named. */
class Variables extends Map<string, CelValue> {
  override get(name: string): CelValue | undefined {
    return valueOf(name);
  }
}

function valueOf(path: string): CelValue | undefined {
  const value = lookUp(path);
  if (value?.type === 'group') return new AttributeGroup((field) => valueOf(`${path}\0${field}`));
  return value === undefined ? undefined : toCel(value);
}

const variables = new Variables();

const environment = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: {
    maxAstNodes: 2000,
    maxDepth: 64,
    maxListElements: 256,
    maxMapEntries: 256,
    maxCallArguments: 8,
  },
})
  .registerType('weir.Attributes', AttributeGroup)
  .registerFunction(`string.${MATCHES}(string): bool`, matches)
  .registerFunction(`${MATCHES}(string, string): bool`, matches);

const patterns = new Map<string, LinearRegex>();

/** Whether a part of the text matches, as RE2 decides it, in time linear in the text. */
function matches(text: string, pattern: string): boolean {
  const bytes = Buffer.from(text);
  charge(bytes.length >> 4);
  return compilePattern(pattern).matches(bytes, 0, bytes.length);
}

/** @throws ExpressionError */
function compilePattern(pattern: string): LinearRegex {
  let regex = patterns.get(pattern);
  if (regex !== undefined) return regex;
  if (pattern.length > PATTERN_BYTES)
    throw new ExpressionError(`the pattern is longer than ${PATTERN_BYTES} bytes`);
  charge(COMPILE_STEPS_PER_BYTE * pattern.length);
  const [flag, body] = pattern.startsWith('(?i)') ? ['(?i)', pattern.slice(4)] : ['', pattern];
  try {
    regex = new LinearRegex(`${flag}[\\s\\S]*(?:${body})[\\s\\S]*`);
  } catch (error) {
    if (error instanceof PatternError)
      throw new ExpressionError(`the pattern "${pattern}": ${error.message}`);
    throw error;
  }
  if (patterns.size === PATTERNS) patterns.delete(patterns.keys().next().value!);
  patterns.set(pattern, regex);
  return regex;
}

/**
 * A CEL expression over the attributes of a stream, compiled once and evaluated often. What an evaluation
 * may cost is bounded by `EXPRESSION_STEPS`, whatever the expression and whatever a client sends.
 */
export class Expression {
  readonly #evaluate: ParseResult;

  /** @throws ExpressionError */
  constructor(text: string) {
    if (Buffer.byteLength(text) > EXPRESSION_BYTES)
      throw new ExpressionError(`it is longer than ${EXPRESSION_BYTES} bytes`);
    stepsLeft = EXPRESSION_STEPS;
    try {
      this.#evaluate = environment.parse(text);
      checkFunctions(this.#evaluate.ast, MATCHES, compilePattern);
      const { valid, error } = this.#evaluate.check();
      if (!valid) throw error as Error;
      instrument(this.#evaluate.ast, charge);
    } catch (error) {
      throw asExpressionError(error);
    }
  }

  /**
   * @throws ExpressionError where it has no value: an attribute is missing, types do not fit, it takes too long
   * @throws UnencodableError where a module cannot be given the value
   */
  evaluate(attributes: AttributeLookup): AttributeValue {
    stepsLeft = EXPRESSION_STEPS;
    lookUp = attributes;
    try {
      const value = this.#evaluate(variables) as CelValue;
      // A logical operator may have passed over the failure.
      charge(0);
      return fromCel(value);
    } catch (error) {
      throw asExpressionError(error);
    } finally {
      lookUp = () => undefined;
    }
  }
}

function asExpressionError(error: unknown): ExpressionError | UnencodableError {
  if (error instanceof ExpressionError || error instanceof UnencodableError) return error;
  const text = error instanceof Error ? error.message : String(error);
  // The rest shows the source with a caret below.
  return new ExpressionError(text.split('\n', 1)[0]!);
}
