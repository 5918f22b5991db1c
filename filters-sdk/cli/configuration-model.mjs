// What the configuration classes of a filter say, read from the compiler's tree of its sources.
//
// A shape is { kind, … }:
//   boolean | integer {type, least, most} | number {type, least, most}
//   text {type, least, most, pattern}     | choice {type, values} | listed {type, values}
//   duration, size {type, least, most}    | part {of}
//   json {schema}
//   list {of, typeText, least, most}      | map {of, typeText, least, most, pattern}
import { CommonFlags, LiteralKind, NodeKind } from 'assemblyscript';
import { literal, textOf } from './literals.mjs';
import { patternTable } from './pattern.mjs';

const SAFE = Number.MAX_SAFE_INTEGER;
const MOST = 2 ** 31 - 1;
const INTEGERS = {
  i8: [-(2 ** 7), 2 ** 7 - 1],
  i16: [-(2 ** 15), 2 ** 15 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  i64: [-SAFE, SAFE],
  u8: [0, 2 ** 8 - 1],
  u16: [0, 2 ** 16 - 1],
  u32: [0, 2 ** 32 - 1],
  u64: [0, SAFE],
};
const FLOATS = { f32: 3.4028234663852886e38, f64: Number.MAX_VALUE };
const MILLISECONDS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const BYTES = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };
const DECORATORS = new Set(
  'range length items pattern names oneOf duration size schema needs secret named example derived'.split(' '),
);

/** A fault of the author's, at a node. */
export class ModelFault extends Error {
  constructor(node, message) {
    super(message);
    this.range = node.range;
  }
}

/**
 * The model of all configuration classes: `{ root, parts }`, each class `{ node, name, doc, place, fields,
 * options, exactlyOneOf, checks }`; null where there are none.
 *
 * @param sources the compiler's
 * @throws {ModelFault}
 */
export function readModel(sources) {
  const declarations = [...declared(sources)];
  const classes = declarations.filter(({ node }) => node.kind === NodeKind.ClassDeclaration);
  const marked = (name) => classes.filter(({ node }) => decorator(node, name) !== null);
  const roots = marked('configuration');
  if (roots.length + marked('part').length === 0) return null;
  if (roots.length > 1)
    throw new ModelFault(
      roots[1].node.name,
      'a module has one class that is its @configuration; use @part here',
    );
  const context = {
    enums: new Map(
      declarations
        .filter(({ node }) => node.kind === NodeKind.EnumDeclaration)
        .map(({ node }) => [node.name.text, node]),
    ),
    classes: new Map(),
    reading: [],
    sources: new Map(classes.map((found) => [found.node.name.text, found])),
  };
  const parts = marked('part').map(({ node }) => readClass(node.name.text, node.name, context));
  const root = roots.length === 0 ? null : readClass(roots[0].node.name.text, roots[0].node.name, context);
  return { root, classes: root === null ? parts : [...parts, root] };
}

function* declared(sources) {
  for (const source of sources) {
    // The SDK and the standard library have none of their own.
    if (/^~lib\/(?!.*\/)|^~lib\/rt\/|^~lib\/@weir\/filters-sdk\/assembly\//.test(source.normalizedPath))
      continue;
    yield* inStatements(source.statements);
  }
}

function* inStatements(statements) {
  for (const node of statements) {
    if (node.kind === NodeKind.NamespaceDeclaration) yield* inStatements(node.members);
    else if (node.kind === NodeKind.ClassDeclaration || node.kind === NodeKind.EnumDeclaration)
      yield { node };
    else if (node.kind === NodeKind.ExportDefault && node.declaration !== undefined)
      yield* inStatements([node.declaration]);
  }
}

/** A class as a part of the configuration, each read once. */
function readClass(name, at, context) {
  const known = context.classes.get(name);
  if (known !== undefined) return known;
  if (context.reading.includes(name))
    throw new ModelFault(at, `${name} contains itself: a configuration has an end`);
  const { node } = context.sources.get(name);
  if (node.extendsType !== null)
    throw new ModelFault(node.extendsType, 'a configuration class extends nothing');
  if (
    node.members.some(
      (member) => member.kind === NodeKind.MethodDeclaration && member.name.text === 'constructor',
    )
  )
    throw new ModelFault(
      node.name,
      'a configuration class has no constructor: give its fields their defaults',
    );
  context.reading.push(name);
  const fields = [];
  for (const member of node.members) {
    if (member.kind !== NodeKind.FieldDeclaration || !isMember(member)) continue;
    fields.push(readField(member, context));
  }
  context.reading.pop();
  const options = decorator(node, 'configuration');
  const model = {
    node,
    name,
    doc: docOf(node),
    place: placeOf(node.name.range),
    fields,
    options: options?.args?.length > 0 ? literal(options.args[0]) : {},
    exactlyOneOf: decorator(node, 'exactlyOneOf')?.args?.map((arg) => literal(arg)) ?? [],
    checks: node.members.some(
      (member) => member.kind === NodeKind.MethodDeclaration && member.name.text === 'check',
    ),
  };
  if (options !== null && (typeof model.options !== 'object' || model.options === null))
    throw new ModelFault(options, '@configuration takes an object: { title, phase, capabilities }');
  for (const option of Object.keys(model.options))
    if (!['title', 'phase', 'capabilities'].includes(option))
      throw new ModelFault(options, `@configuration has title, phase and capabilities, not "${option}"`);
  for (const one of model.exactlyOneOf) {
    const field = fields.find((candidate) => candidate.name === one);
    if (field === undefined) throw new ModelFault(node.name, `@exactlyOneOf: there is no member "${one}"`);
    if (field.required)
      throw new ModelFault(node.name, `@exactlyOneOf: "${one}" needs a default, such as null`);
  }
  for (const field of fields)
    if (field.needs !== null && !fields.some(({ name: other }) => other === field.needs))
      throw new ModelFault(field.node, `@needs: there is no member "${field.needs}"`);
  context.classes.set(name, model);
  return model;
}

function isMember(member) {
  const hidden = CommonFlags.Private | CommonFlags.Protected | CommonFlags.Static;
  return (member.flags & hidden) === 0 && decorator(member, 'derived') === null;
}

function readField(node, context) {
  const marks = new Map();
  for (const one of node.decorators ?? []) {
    const name = one.name.text;
    if (!DECORATORS.has(name))
      throw new ModelFault(one, `@${name} is not known; known: ${[...DECORATORS].join(', ')}`);
    marks.set(name, { node: one, args: (one.args ?? []).map((arg) => literal(arg)), used: false });
  }
  const take = (name) => {
    const mark = marks.get(name);
    if (mark === undefined) return null;
    mark.used = true;
    return mark;
  };
  if (node.type === null)
    throw new ModelFault(node.name, 'a member of a configuration needs its type written out');
  const name = take('named')?.args[0] ?? node.name.text;
  const field = {
    node,
    property: node.name.text,
    name,
    doc: docOf(node),
    place: placeOf(node.name.range),
    secret: take('secret') !== null,
    examples: (node.decorators ?? [])
      .filter((one) => one.name.text === 'example')
      .flatMap((one) => one.args?.map((arg) => literal(arg)) ?? []),
    needs: take('needs')?.args[0] ?? null,
    // Without a value of its own it must be given one.
    required: node.initializer === null,
    shape: shapeOf(node.type, take, context, true),
    default: undefined,
  };
  take('example');
  for (const [mark, { node: at, used }] of marks)
    if (!used) throw new ModelFault(at, `@${mark} does not go with ${typeText(node.type)}`);
  if (field.required && node.type.isNullable)
    throw new ModelFault(node.name, `"${name}" may be null, so write "= null", or take "| null" away`);
  if (!field.required) field.default = defaultOf(field, context);
  return field;
}

/**
 * @param take takes a decorator of the field; constraints of a list's or map's items stand at the field too
 * @param outer the field itself, not an item
 */
function shapeOf(type, take, context, outer) {
  if (type.kind !== NodeKind.NamedType) throw new ModelFault(type, 'a configuration has no functions');
  const name = type.name.identifier.text;
  const bounds = (mark, parse, [least, most]) => {
    const low = mark?.args[0] === undefined ? least : parse(mark.args[0]);
    const high = mark?.args[1] === undefined ? most : parse(mark.args[1]);
    if (!Number.isFinite(low) || !Number.isFinite(high) || low > high || low < least || high > most)
      throw new ModelFault(mark.node, `not bounds, from smaller to larger, that a ${name} can have`);
    return { least: low, most: high };
  };
  const count = (mark) => bounds(mark, Number, [0, MOST]);
  const number = (value) => (typeof value === 'number' ? value : NaN);
  if (type.isNullable && (name in INTEGERS || name in FLOATS || name === 'bool'))
    throw new ModelFault(type, `a ${name} cannot be null: give it a default`);

  if (name === 'bool' || name === 'boolean') return { kind: 'boolean' };
  if (name === 'Array' || name === 'Map') {
    if (!outer && take('items') !== null) throw new ModelFault(type, 'unreachable');
    const [key, item] = name === 'Map' ? type.typeArguments : [null, type.typeArguments[0]];
    if (item === undefined) throw new ModelFault(type, `${name} of what?`);
    if (key !== null && typeText(key) !== 'string')
      throw new ModelFault(key, 'names in a map are of type string');
    if (item.isNullable) throw new ModelFault(item, 'an item is never null');
    const shared = { of: null, typeText: typeText(item), ...count(outer ? take('items') : null) };
    if (name === 'Array') return { kind: 'list', ...shared, of: shapeOf(item, take, context, false) };
    const pattern = checkedPattern(outer ? take('names') : null);
    return { kind: 'map', pattern, ...shared, of: shapeOf(item, take, context, false) };
  }
  if (name === 'JsonValue') {
    const schema = take('schema');
    if (schema === null)
      throw new ModelFault(type, 'a JsonValue needs a @schema({ … }), and the class a check');
    if (typeof schema.args[0] !== 'object' || schema.args[0] === null)
      throw new ModelFault(schema.node, 'expected a JSON Schema, as an object of literals');
    return { kind: 'json', schema: schema.args[0] };
  }
  if (name === 'string' || name === 'String' || name === 'ArrayBuffer') {
    const type = name === 'ArrayBuffer' ? 'ArrayBuffer' : 'string';
    const choices = take('oneOf');
    if (choices !== null) return { kind: 'choice', type, values: choiceTexts(choices) };
    return { kind: 'text', type, ...count(take('length')), pattern: checkedPattern(take('pattern')) };
  }
  if (context.enums.has(name)) {
    const members = enumMembers(context.enums.get(name));
    const choices = take('oneOf');
    const values = choices === null ? members : choiceTexts(choices);
    if (values.length !== members.length)
      throw new ModelFault(
        choices.node,
        `${name} has ${members.length} members, here are ${values.length} texts`,
      );
    return { kind: 'choice', type: name, values, members };
  }
  if (name in INTEGERS || name in FLOATS) {
    const limits = INTEGERS[name] ?? [-FLOATS[name], FLOATS[name]];
    const positive = [Math.max(0, limits[0]), Math.min(limits[1], SAFE)];
    const duration = take('duration');
    if (duration !== null)
      return { kind: 'duration', type: name, ...bounds(duration, milliseconds, positive) };
    const size = take('size');
    if (size !== null) return { kind: 'size', type: name, ...bounds(size, bytes, positive) };
    const listed = take('oneOf');
    if (listed !== null) {
      const whole = listed.args.every(
        (value) => Number.isInteger(value) && value >= limits[0] && value <= limits[1],
      );
      if (listed.args.length === 0 || !whole)
        throw new ModelFault(listed.node, `@oneOf of a ${name} lists whole numbers that it can have`);
      return { kind: 'listed', type: name, values: listed.args };
    }
    return {
      kind: name in INTEGERS ? 'integer' : 'number',
      type: name,
      ...bounds(take('range'), number, limits),
    };
  }
  const found = context.sources.get(name);
  if (found === undefined)
    throw new ModelFault(
      type,
      `${name} is not a type of configurations: bool, i32 and other numbers, string, ArrayBuffer, an enum, a @part, arrays of them, Map<string, …>`,
    );
  if (decorator(found.node, 'part') === null)
    throw new ModelFault(type, `the class ${name} is not a part of a configuration: put @part before it`);
  return { kind: 'part', of: readClass(name, type, context) };
}

function checkedPattern(mark) {
  if (mark === null) return null;
  const [text] = mark.args;
  if (typeof text !== 'string') throw new ModelFault(mark.node, 'expected a regular expression, as a string');
  try {
    return { text, table: patternTable(text) };
  } catch (error) {
    throw new ModelFault(mark.node, error.message);
  }
}

function choiceTexts({ node, args }) {
  const texts = args.every((value) => typeof value === 'string' && value !== '');
  if (args.length === 0 || !texts || new Set(args).size !== args.length)
    throw new ModelFault(node, '@oneOf lists different texts, none of them empty');
  return args;
}

function enumMembers(node) {
  node.values.forEach((value, i) => {
    if (value.initializer !== null && literal(value.initializer) !== i)
      throw new ModelFault(value, 'an enum of a configuration counts 0, 1, 2 …');
  });
  return node.values.map((value) => value.name.text);
}

/** The default as JSON; undefined where it cannot be told without running code. */
function defaultOf({ node, name, shape }, context) {
  const { initializer } = node;
  if (initializer.kind === NodeKind.Null) return undefined;
  if (shape.kind === 'part') {
    const missing = shape.of.fields.find((field) => field.required);
    if (missing !== undefined || shape.of.exactlyOneOf.length > 0)
      throw new ModelFault(
        node.name,
        `"${name}" cannot be left out, since ${missing === undefined ? 'one of its members' : `"${missing.name}"`} of ${shape.of.name} must be there: take the default away, or make it "| null = null"`,
      );
    return undefined;
  }
  if (shape.kind === 'map') return initializer.kind === NodeKind.New ? {} : undefined;
  if (shape.kind === 'list') {
    if (initializer.kind === NodeKind.New) return [];
    if (initializer.kind !== NodeKind.Literal || initializer.literalKind !== LiteralKind.Array)
      return undefined;
    const items = initializer.elementExpressions.map((item) => valueOf(item, shape.of, context));
    return items.includes(undefined) ? undefined : items;
  }
  const value = valueOf(initializer, shape, context);
  if (value !== undefined) checkDefault(node, shape, value);
  return value === undefined ? undefined : writtenAs(shape, value);
}

/** Of an expression; numbers of durations and sizes as they are, members of an enum as their texts. */
function valueOf(expression, shape) {
  if (shape.kind === 'choice' && shape.members !== undefined) {
    const text = textOf(expression);
    const index = shape.members.findIndex((member) => text === `${shape.type}.${member}`);
    return index < 0 ? undefined : shape.values[index];
  }
  // A text as bytes: `utf8('a')`, `String.UTF8.encode('a')`.
  const inner =
    expression.kind === NodeKind.Call &&
    expression.args.length === 1 &&
    /(utf8|encode)\(/.test(textOf(expression))
      ? expression.args[0]
      : expression;
  return literal(inner);
}

function checkDefault(node, shape, value) {
  const { least, most, pattern, values } = shape;
  const measure = typeof value === 'string' ? [...value].length : value;
  const right =
    values !== undefined
      ? values.includes(value)
      : typeof value === 'boolean' ||
        (measure >= least &&
          measure <= most &&
          (!pattern || new RegExp(`^(?:${pattern.text})$`, 'u').test(value)));
  if (!right)
    throw new ModelFault(node.initializer, 'the default is not one of the values that are allowed here');
}

/** As a person writes it in a configuration. */
export function writtenAs(shape, value) {
  if (shape.kind === 'duration') {
    if (value === 0) return '0s';
    let rest = value;
    let text = '';
    for (const [unit, factor] of Object.entries(MILLISECONDS)) {
      const amount = Math.floor(rest / factor);
      rest -= amount * factor;
      if (amount > 0) text += `${amount}${unit}`;
    }
    return text;
  }
  if (shape.kind === 'size') {
    const unit = ['Gi', 'Mi', 'Ki'].find((candidate) => value > 0 && value % BYTES[candidate] === 0);
    return unit === undefined ? value : `${value / BYTES[unit]}${unit}`;
  }
  return value;
}

function milliseconds(text) {
  if (!/^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.test(text) || text === '') return NaN;
  return [...text.matchAll(/(\d+)(d|h|ms|m|s)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * MILLISECONDS[unit],
    0,
  );
}

function bytes(text) {
  const found = /^(\d+)(Ki|Mi|Gi|k|M|G)?$/.exec(String(text));
  return found === null ? NaN : Number(found[1]) * BYTES[found[2] ?? ''];
}

function decorator(node, name) {
  return (
    node.decorators?.find((one) => one.name.kind === NodeKind.Identifier && one.name.text === name) ?? null
  );
}

/** A type as it is written in AssemblyScript. */
export function typeText(type) {
  return textOf(type).replace(/\s*\|\s*null$/, '');
}

function placeOf({ source, start }) {
  return `${source.normalizedPath}:${source.text.slice(0, start).split('\n').length}`;
}

/** The documentation comment right before a declaration. */
function docOf(node) {
  const { source } = node.range;
  const start = Math.min(
    node.range.start,
    node.name.range.start,
    ...(node.decorators ?? []).map(({ range }) => range.start),
  );
  const before = source.text
    .slice(0, start)
    .replace(/((^|\s)(export|public|readonly|abstract|declare))*\s*$/, '');
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/$/.exec(before);
  if (comment === null) return '';
  return comment[1]
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join('\n')
    .trim()
    .replace(/(?<!\n)\n(?!\n)/g, ' ');
}
