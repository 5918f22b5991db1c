import { Bytes } from '@weir/filters-sdk/assembly';
import { Costs } from './costs';
import { Definition, Definitions, Kind, MOST_NESTING, product, sum } from './document';
import { Token, beginDocument, isWord, length, line, next, start, token, tokens } from './lexer';
import { Variables } from './variables';

/** Why a document is not read to its end. */
export enum ParseResult {
  Right,
  /** `faultLine` says where. */
  Syntax,
  Tokens,
  Nesting,
}

/** The line of the fault. */
export let faultLine: i32 = 0;

/** Where what is read belongs to. */
let definitions: Definitions = new Definitions();
let definition: Definition = new Definition();
let costs: Costs = new Costs();
let variables: Variables = new Variables();
let mostTokens: i32 = 0;
let failed: ParseResult = ParseResult.Right;
/** How often the selections of a field count, as far as its arguments say. */
let times: i64 = 1;

/**
 * Reads an executable document (GraphQL, October 2021, section 2), strictly, in one pass: what its definitions come to is in
 * `into`, and it makes no tree.
 *
 * @param most tokens that it may have
 */
export function parseDocument(
  text: Bytes,
  into: Definitions,
  by: Costs,
  given: Variables,
  most: i32,
): ParseResult {
  into.clear();
  definitions = into;
  costs = by;
  variables = given;
  mostTokens = most;
  failed = ParseResult.Right;
  beginDocument(text);
  do parseDefinition();
  while (failed == ParseResult.Right && token != Token.End);
  return failed;
}

function fail(result: ParseResult = ParseResult.Syntax): void {
  if (failed != ParseResult.Right) return;
  failed = tokens > mostTokens ? ParseResult.Tokens : result;
  faultLine = line();
}

/** Goes to the next token, as long as nothing is wrong. */
function advance(): void {
  if (failed != ParseResult.Right) return;
  if (tokens > mostTokens) return fail();
  next();
}

function take(kind: Token): void {
  if (token == kind) advance();
  else fail();
}

function takeIf(kind: Token): bool {
  if (failed != ParseResult.Right || token != kind) return false;
  advance();
  return true;
}

/** Whether something is still to be read before this token. */
function isBefore(close: Token): bool {
  return failed == ParseResult.Right && token != close;
}

function parseDefinition(): void {
  if (token == Token.BraceOpen) {
    definition = definitions.add(Kind.Query);
    parseSelections(0, 1);
    return;
  }
  if (isWord('fragment')) return parseFragment();
  if (isWord('query')) definition = definitions.add(Kind.Query);
  else if (isWord('mutation')) definition = definitions.add(Kind.Mutation);
  else if (isWord('subscription')) definition = definitions.add(Kind.Subscription);
  else return fail();
  advance();
  if (token == Token.Name) {
    definition.setName(start, length);
    advance();
  }
  if (takeIf(Token.ParenOpen)) {
    do parseVariable();
    while (isBefore(Token.ParenClose));
    take(Token.ParenClose);
  }
  parseDirectives(false);
  parseSelections(0, 1);
}

function parseFragment(): void {
  definition = definitions.add(Kind.Fragment);
  advance();
  if (isWord('on')) return fail();
  definition.setName(start, length);
  take(Token.Name);
  if (!isWord('on')) return fail();
  advance();
  take(Token.Name);
  parseDirectives(false);
  parseSelections(0, 1);
}

function parseVariable(): void {
  take(Token.Dollar);
  const name = start;
  const size = length;
  take(Token.Name);
  take(Token.Colon);
  parseType(0);
  if (takeIf(Token.Equals)) {
    if (token == Token.Int) variables.addDefault(name, size, numberOf());
    parseValue(true, 0, false);
  }
  parseDirectives(true);
}

function parseType(depth: i32): void {
  if (depth > MOST_NESTING) return fail(ParseResult.Nesting);
  if (takeIf(Token.BracketOpen)) {
    parseType(depth + 1);
    take(Token.BracketClose);
  } else take(Token.Name);
  takeIf(Token.Bang);
}

/**
 * @param depth levels of fields around the selections
 * @param factor how often they count
 */
function parseSelections(depth: i32, factor: i64, nesting: i32 = 0): void {
  if (nesting > MOST_NESTING) return fail(ParseResult.Nesting);
  take(Token.BraceOpen);
  do parseSelection(depth, factor, nesting);
  while (isBefore(Token.BraceClose));
  take(Token.BraceClose);
}

function parseSelection(depth: i32, factor: i64, nesting: i32): void {
  if (token != Token.Spread) return parseField(depth, factor, nesting);
  advance();
  const isOn = isWord('on');
  if (token == Token.Name && !isOn) {
    definitions.addSpread(definition, start, length, factor, depth);
    advance();
    return parseDirectives(false);
  }
  if (isOn) {
    advance();
    take(Token.Name);
  }
  parseDirectives(false);
  parseSelections(depth, factor, nesting + 1);
}

function parseField(depth: i32, factor: i64, nesting: i32): void {
  let name = start;
  let size = length;
  take(Token.Name);
  if (takeIf(Token.Colon)) {
    definition.aliases++;
    name = start;
    size = length;
    take(Token.Name);
  }
  if (failed != ParseResult.Right) return;
  if (depth == 0) definition.rootFields++;
  definition.depth = max(definition.depth, depth + 1);
  definition.cost = sum(definition.cost, product(factor, costs.weightOf(name, size)));
  if (isIntrospection(name, size)) definition.introspects = true;
  times = 1;
  parseArguments(false);
  const inner = product(factor, times);
  parseDirectives(false);
  if (token == Token.BraceOpen && failed == ParseResult.Right) parseSelections(depth + 1, inner, nesting + 1);
}

/** `__schema` and `__type`; `__typename` tells nothing of the schema. */
function isIntrospection(name: usize, size: i32): bool {
  if (size < 6 || load<u16>(name) != 0x5f5f) return false;
  const text = Bytes.of(name, size);
  return text.equals('__schema') || text.equals('__type');
}

function parseArguments(isConstant: bool): void {
  if (!takeIf(Token.ParenOpen)) return;
  do parseMember(isConstant, 0);
  while (isBefore(Token.ParenClose));
  take(Token.ParenClose);
}

/** An argument, or a field of an object: `name: value`. */
function parseMember(isConstant: bool, depth: i32): void {
  const counts = token == Token.Name && costs.isMultiplier(start, length);
  take(Token.Name);
  take(Token.Colon);
  parseValue(isConstant, depth, counts);
}

/** @param counts it is the value of an argument that says how often something is answered */
function parseValue(isConstant: bool, depth: i32, counts: bool): void {
  if (depth > MOST_NESTING) return fail(ParseResult.Nesting);
  if (token == Token.Dollar && !isConstant) {
    advance();
    if (token == Token.Name) times = max(times, variables.timesOf(start, length, counts));
    take(Token.Name);
  } else if (takeIf(Token.BracketOpen)) {
    while (isBefore(Token.BracketClose)) parseValue(isConstant, depth + 1, false);
    take(Token.BracketClose);
  } else if (takeIf(Token.BraceOpen)) {
    while (isBefore(Token.BraceClose)) parseMember(isConstant, depth + 1);
    take(Token.BraceClose);
  } else if (token == Token.Int) {
    if (counts) times = max(times, numberOf());
    advance();
  } else if (token == Token.Name || token == Token.Float || token == Token.Text) advance();
  else fail();
}

/** The token as a number, if it is not below 0; what is too large is large. */
function numberOf(): i64 {
  let value: i64 = 0;
  for (let i = 0; i < length; i++) {
    const digit = <i32>load<u8>(start + i) - 48;
    if (digit < 0) return 1;
    value = sum(product(value, 10), digit);
  }
  return value;
}

function parseDirectives(isConstant: bool): void {
  while (takeIf(Token.At)) {
    definition.directives++;
    take(Token.Name);
    const before = times;
    parseArguments(isConstant);
    times = before;
  }
}
