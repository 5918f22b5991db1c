import type { ASTNode } from '@marcbachmann/cel-js';
import { EXPRESSION_STEPS, EXPRESSION_TEXT } from './limits.ts';

/** What the library keeps of a node beyond what its types show; its version is pinned for that. */
interface Tree {
  readonly op: string;
  readonly args: unknown;
  readonly meta: {
    readonly evaluate: Evaluate;
    /** What a macro became: its tree stands in for this one. */
    readonly alternate?: Tree;
    /** A macro that is evaluated as it is. */
    readonly macro?: { readonly args?: readonly Tree[] };
  };
  setMeta(key: string, value: unknown): void;
}

type Evaluate = (evaluator: unknown, tree: Tree, context: unknown) => unknown;

/** Arguments of a comprehension, which `all`, `exists`, `map` and `filter` become. */
interface Comprehension {
  readonly iterable: Tree;
  readonly init: Tree;
  readonly step: Tree;
}

/** The functions and macros of CEL's standard, and those of its string extension whose cost is bounded by their text. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['size', 'contains', 'startsWith', 'endsWith', 'matches', 'type', 'dyn'],
  ...['int', 'uint', 'double', 'string', 'bytes', 'bool', 'timestamp', 'duration'],
  ...['has', 'all', 'exists', 'exists_one', 'map', 'filter'],
  ...['getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear', 'getFullYear', 'getMonth'],
  ...['getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
  ...['lowerAscii', 'upperAscii', 'trim', 'split', 'substring', 'indexOf', 'lastIndexOf'],
]);

/** Looking up a time zone takes about as long as this many steps. */
const TIME_ZONE_STEPS = 4000;

/**
 * Refuses functions that are not offered, and puts `matches` in the place of the library's own.
 *
 * @param checkPattern called with each pattern that is written out
 * @throws Error that names the function
 */
export function checkFunctions(
  root: ASTNode,
  matches: string,
  checkPattern: (pattern: string) => void,
): void {
  for (const tree of treesOf(root as unknown as Tree)) {
    if (tree.op !== 'call' && tree.op !== 'rcall') continue;
    const call = tree.args as [name: string, ...unknown[]];
    const [name] = call;
    if (!FUNCTIONS.has(name)) throw new Error(`there is no function ${name}`);
    if (name !== 'matches') continue;
    const pattern = (call.at(-1) as Tree[]).at(-1)!;
    if (pattern.op === 'value' && typeof pattern.args === 'string') checkPattern(pattern.args);
    call[0] = matches;
  }
}

/**
 * Makes each evaluation of a part of the tree pay: one step, and more for a large value, since whatever
 * uses that value takes as long as it is large. Called when the tree has been checked, before it is first
 * evaluated.
 *
 * @param charge throws where too little is left
 */
export function instrument(root: ASTNode, charge: (steps: number) => void): void {
  for (const tree of treesOf(root as unknown as Tree)) {
    const { evaluate } = tree.meta;
    const steps = stepsOf(tree);
    // What a comprehension gathers is weighed when it is whole.
    const weighs = tree.op !== 'accuPush' && tree.op !== 'accuValue' && tree.op !== '?:';
    tree.setMeta('evaluate', (evaluator: unknown, self: Tree, context: unknown) => {
      charge(steps);
      const value = evaluate(evaluator, self, context);
      if (weighs) charge(weightOf(value) >> 2);
      return value;
    });
  }
}

function stepsOf({ op, args }: Tree): number {
  if (op !== 'rcall') return 1;
  const [name, , given] = args as [string, Tree, Tree[]];
  return name.startsWith('get') && given.length > 0 ? TIME_ZONE_STEPS : 1;
}

const weights = new WeakMap<object, number>();

/** How large a value is: parts of parts are counted as often as they are met. @throws Error where it is too large */
function weightOf(value: unknown): number {
  if (typeof value === 'string') {
    if (value.length > EXPRESSION_TEXT) throw new Error('a text of it is too long');
    return value.length >> 4;
  }
  if (typeof value === 'bigint') {
    // The library does not look at every result.
    if (value !== BigInt.asIntN(64, value)) throw new Error('integer overflow');
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  const known = weights.get(value);
  if (known !== undefined) return known;
  const weight = partsWeight(value);
  if (weight > EXPRESSION_STEPS) throw new Error('a value of it is too large');
  // One that is empty may be filled yet.
  if (weight > 0) weights.set(value, weight);
  return weight;
}

function partsWeight(value: object): number {
  if (value instanceof Uint8Array) {
    if (value.length > EXPRESSION_TEXT) throw new Error('bytes of it are too long');
    return value.length >> 4;
  }
  let weight = 0;
  if (Array.isArray(value)) for (const part of value) weight += 1 + weightOf(part);
  else if (value.constructor === Map)
    for (const [key, part] of value as Map<unknown, unknown>) weight += 1 + weightOf(key) + weightOf(part);
  else if (value.constructor === Object)
    for (const [key, part] of Object.entries(value)) weight += 1 + weightOf(key) + weightOf(part);
  return weight;
}

/** Each tree below a root once, the root included. */
function treesOf(root: Tree): ReadonlySet<Tree> {
  const found = new Set<Tree>();
  const open = [root];
  for (let tree = open.pop(); tree !== undefined; tree = open.pop()) {
    if (found.has(tree)) continue;
    found.add(tree);
    open.push(...childrenOf(tree));
  }
  return found;
}

function childrenOf({ args, meta }: Tree): Tree[] {
  if (meta.alternate !== undefined) return [meta.alternate];
  if (meta.macro !== undefined) return [...(meta.macro.args ?? [])];
  if (isComprehension(args)) return [args.iterable, args.init, args.step];
  return [args].flat(2).filter(isTree);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && 'setMeta' in value;
}

function isComprehension(value: unknown): value is Comprehension {
  return typeof value === 'object' && value !== null && 'iterable' in value;
}
