/** Documents at random for the parser of the filter, and what graphql-js says of them. */
import fc from 'fast-check';
import { Kind, parse, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';

const NAMES = ['a', 'b', 'first', 'on', 'query', 'fragment', 'true', 'null', '__typename', '_x9', 'mutation'];
const name = fc.constantFrom(...NAMES);
const FRAGMENTS = ['F0', 'F1', 'F2'];
const fragmentName = fc.constantFrom(...FRAGMENTS);
const scalar = fc.oneof(
  fc.constantFrom(
    '0',
    '-1',
    '12',
    '1.5',
    '-0.0e+3',
    '2E5',
    'true',
    'null',
    'ENUM',
    '""',
    '"a\\n\\u0061\\u{1F600}"',
  ),
  fc.constantFrom('"é😀 # , {"', '"""a "b" \\""" \n { }"""', '"\\ud83d\\ude00"', '""""""'),
);

function join(parts: readonly string[]): string {
  return parts.join(' ');
}

/** The text of a selection set, `depth` levels at most. */
function selections(depth: number, spreads: readonly string[] = FRAGMENTS): fc.Arbitrary<string> {
  const field = fc
    .tuple(
      fc.option(name),
      name,
      fc.option(args(2, false)),
      directives(false),
      depth > 0 ? fc.option(selections(depth - 1, spreads)) : fc.constant(null),
    )
    .map(([alias, own, given, marks, inner]) =>
      join([alias === null ? '' : `${alias}:`, own, given ?? '', marks, inner ?? '']),
    );
  const spread =
    spreads.length === 0
      ? field
      : fc.tuple(fc.constantFrom(...spreads), directives(false)).map(([own, marks]) => `...${own} ${marks}`);
  const inline =
    depth > 0
      ? fc
          .tuple(fc.option(name), directives(false), selections(depth - 1, spreads))
          .map(([type, marks, inner]) => join(['...', type === null ? '' : `on ${type}`, marks, inner]))
      : spread;
  return fc
    .array(fc.oneof({ weight: 5, arbitrary: field }, spread, inline), { minLength: 1, maxLength: 4 })
    .map((all) => `{ ${all.join(', ')} }`);
}

function value(depth: number, constant: boolean): fc.Arbitrary<string> {
  const leaves = constant
    ? scalar
    : fc.oneof(
        scalar,
        name.map((own) => `$${own}`),
      );
  if (depth === 0) return leaves;
  const inner = value(depth - 1, constant);
  return fc.oneof(
    { weight: 4, arbitrary: leaves },
    fc.array(inner, { maxLength: 3 }).map((all) => `[${all.join(' ')}]`),
    fc
      .array(fc.tuple(name, inner), { maxLength: 3 })
      .map((all) => `{${all.map(([n, v]) => `${n}: ${v}`).join(' ')}}`),
  );
}

function args(depth: number, constant: boolean): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(name, value(depth, constant)), { minLength: 1, maxLength: 3 })
    .map((all) => `(${all.map(([n, v]) => `${n}: ${v}`).join(', ')})`);
}

function directives(constant: boolean): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(name, fc.option(args(1, constant))), { maxLength: 2 })
    .map((all) => all.map(([own, given]) => `@${own}${given ?? ''}`).join(' '));
}

const type = fc.tuple(name, fc.constantFrom('', '!', '[]', '[]!', '[!]!')).map(([own, form]) => {
  const inner = form.startsWith('[!') ? `${own}!` : own;
  return form.startsWith('[') ? `[${inner}]${form.endsWith('!') ? '!' : ''}` : own + form;
});
const variable = fc
  .tuple(name, type, fc.option(value(1, true)), directives(true))
  .map(([own, kind, usual, marks]) => join([`$${own}:`, kind, usual === null ? '' : `= ${usual}`, marks]));
const operation = fc
  .tuple(
    fc.constantFrom('query', 'mutation', 'subscription'),
    fc.option(fc.constantFrom('Q0', 'Q1', 'on')),
    fc.option(fc.array(variable, { minLength: 1, maxLength: 3 })),
    directives(false),
    selections(3),
  )
  .map(([kind, own, given, marks, inner]) =>
    join([kind, own ?? '', given === null ? '' : `(${given.join(' ')})`, marks, inner]),
  );
const fragment = fc
  .tuple(fragmentName, name, directives(false), selections(2))
  .map(([own, on, marks, inner]) => join([`fragment ${own} on`, on, marks, inner]));

/** Documents that are right by the grammar, with any names, cycles and fragments that are not there. */
export const documents = fc
  .array(fc.oneof({ weight: 2, arbitrary: operation }, { weight: 2, arbitrary: fragment }, selections(3)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all) => all.join('\n'));

const arranged = fc.tuple(
  fc.tuple(fc.constantFrom('query', 'mutation Q'), selections(3)).map((parts) => join(parts)),
  ...FRAGMENTS.map((own, i) =>
    selections(2, FRAGMENTS.slice(i + 1)).map((inner) => `fragment ${own} on T ${inner}`),
  ),
);

/** Documents without a fault: each fragment is there once, and leads to later ones alone. */
export const sound = fc
  .tuple(arranged, fc.boolean())
  .map(([parts, isTurned]) => (isTurned ? parts.reverse() : parts).join('\n'));

const PIECES = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ':',
  '...',
  '$',
  '@',
  '!',
  '=',
  '&',
  '|',
  '..',
  '.',
  '"',
  '"""',
  '\\',
  '#x\n',
  ',',
  '\n',
  '\r',
  '\t',
  '\u0000',
  '\u0007',
  '\ufeff',
  '1',
  '01',
  '-',
  '1.',
  '1e',
  '.5',
  '1a',
  'on',
  'é',
  '😀',
  'a',
  ' ',
  '""',
  '"\\u12"',
  '"\\u{110000}"',
  '"\\u{}"',
  '"\\ud800"',
  '"\\udc00"',
  'type A',
  'extend',
  '"d" query',
  '%',
  '?',
  "'",
];

/** Documents with a little of them changed. */
export const mutations = fc
  .tuple(
    documents,
    fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.constantFrom(...PIECES, '')), { minLength: 1, maxLength: 3 }),
  )
  .map(([text, edits]) => {
    let all = [...text];
    for (const [at, cut, piece] of edits) {
      const place = at % (all.length + 1);
      all = [...all.slice(0, place), piece, ...all.slice(place + cut)];
    }
    return all.join('');
  });

export const soup = fc
  .array(fc.constantFrom(...PIECES, ...NAMES), { maxLength: 12 })
  .map((all) => all.join(''));

/** The tree of an executable document; null: graphql-js refuses it, or it defines types. */
export function parsed(text: string, maxTokens = 10_000): DocumentNode | null {
  try {
    const tree = parse(text, { noLocation: true, maxTokens });
    const executable = [Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION] as string[];
    return tree.definitions.every(({ kind }) => executable.includes(kind)) ? tree : null;
  } catch {
    return null;
  }
}

export interface Measures {
  readonly depth: number;
  readonly aliases: number;
  readonly cost: number;
}

/** What the operations of a document come to with every fragment put in place, the largest of each; null: it has a fault. */
export function measured(tree: DocumentNode, multipliers: readonly string[]): Measures | null {
  const names = tree.definitions.map((one) => `${one.kind} ${'name' in one ? (one.name?.value ?? '') : ''}`);
  const operations = tree.definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of tree.definitions)
    if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const nameless = operations.filter(({ name: own }) => own === undefined).length;
  if (
    new Set(names).size < names.length ||
    operations.length === 0 ||
    (nameless > 0 && operations.length > 1)
  )
    return null;
  let broken = false;
  const walk = (set: SelectionSetNode, depth: number, times: number, open: readonly string[]): Measures => {
    let sum: Measures = { depth, aliases: 0, cost: 0 };
    const add = (more: Measures): void => {
      sum = {
        depth: Math.max(sum.depth, more.depth),
        aliases: sum.aliases + more.aliases,
        cost: sum.cost + more.cost,
      };
    };
    for (const selection of set.selections) {
      if (broken) break;
      if (selection.kind === Kind.INLINE_FRAGMENT) add(walk(selection.selectionSet, depth, times, open));
      else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const own = selection.name.value;
        const target = fragments.get(own);
        if (target === undefined || open.includes(own)) broken = true;
        else add(walk(target.selectionSet, depth, times, [...open, own]));
      } else {
        const counts = (selection.arguments ?? []).flatMap((one) =>
          numbersIn(one.name.value, one.value, multipliers),
        );
        add({ depth: depth + 1, aliases: selection.alias === undefined ? 0 : 1, cost: times });
        if (selection.selectionSet !== undefined)
          add(walk(selection.selectionSet, depth + 1, times * Math.max(1, ...counts), open));
      }
    }
    return sum;
  };
  // Fragments that nothing uses must be right, too.
  for (const [own, one] of fragments) walk(one.selectionSet, 0, 1, [own]);
  const all = operations.map(({ selectionSet }) => walk(selectionSet, 0, 1, []));
  if (broken) return null;
  const largest = (key: keyof Measures): number => Math.max(...all.map((one) => one[key]));
  return { depth: largest('depth'), aliases: largest('aliases'), cost: largest('cost') };
}

function numbersIn(
  name: string,
  value: import('graphql').ValueNode,
  multipliers: readonly string[],
): number[] {
  if (value.kind === Kind.INT) return multipliers.includes(name) ? [Number(value.value)] : [];
  if (value.kind === Kind.OBJECT)
    return value.fields.flatMap((one) => numbersIn(one.name.value, one.value, multipliers));
  if (value.kind === Kind.LIST) return value.values.flatMap((one) => numbersIn('', one, multipliers));
  return [];
}
