import { Bytes, ByteWriter, requestHeaders, view } from '@weir/filters-sdk/assembly';
import { Config } from '@weir/filters-sdk/assembly/config';
import { isJsonNumber } from '@weir/filters-sdk/assembly/json-scan';
import { addJsonString } from '@weir/filters-sdk/assembly/json-text';
import { Parts, decodePart, decodeQuery } from '@weir/filters-sdk/assembly/parts';
import { Operation } from './operation';

export enum Place {
  Path,
  Query,
  Header,
  Cookie,
}

/** Bits of {@link Parameter.types}. */
const NUMBER = 1;
const BOOLEAN = 2;
/** Parameters that a query may have. */
const MOST_PARTS = 256;
const PLACES = ['path', 'query', 'header', 'cookie'];

const document = new ByteWriter(1024);
const query = new Parts();
const cookies = new Parts();
/** Names and values of the query without escapes. */
const plainName = new ByteWriter(128);
const plainValue = new ByteWriter(512);
const joined = new ByteWriter(512);

/** How a parameter of the API stands in a request, and what becomes of its text. */
export class Parameter {
  private constructor(
    readonly place: Place,
    /** As it stands in the request. */
    readonly name: ArrayBuffer,
    /** As it stands in the document. */
    readonly member: ArrayBuffer,
    /** It is a list. */
    readonly isList: bool,
    /** Between the values of a list; 0: each stands for itself. */
    readonly separator: i32,
    /** What texts may be beside strings. */
    readonly types: i32,
    /** Of one in the path: which part of it. */
    readonly part: i32,
    /** Of an object (style `deepObject`): `name[member]` each. */
    readonly members: Parameter[],
  ) {}

  static of(config: Config): Parameter {
    const place: Place = config.choice('in', PLACES);
    const name = config.text('name');
    const items = config.items('members');
    const members: Parameter[] = [];
    for (let i = 0; i < items.length; i++) members.push(Parameter.of(Config.of(items[i])));
    const parameter = new Parameter(
      place,
      name,
      config.text('member', name),
      config.boolean('list', false),
      <i32>config.integer('separator', 0, 127, 0),
      <i32>config.integer('types', 0, 3, 0),
      <i32>config.integer('part', 0, 255, 0),
      members,
    );
    config.end();
    return parameter;
  }

  isNamed(name: Bytes): bool {
    if (this.members.length == 0) return name.equals(this.name);
    for (let i = 0; i < this.members.length; i++) if (this.members[i].isNamed(name)) return true;
    return false;
  }
}

/** What stands in the way of looking at the parameters; empty: nothing. */
export class Obstacle {
  place: string = '';
  name: Bytes = changetype<Bytes>(0);
  rule: string = '';

  set(place: Place, name: Bytes, rule: string): bool {
    this.place = PLACES[place];
    this.name = name;
    this.rule = rule;
    return false;
  }
}

export const obstacle = new Obstacle();

/**
 * The parameters of a request as one JSON document: `{"path":{…},"query":{…},"header":{…},"cookie":{…}}`.
 *
 * @param strict a parameter of the query that the operation does not have is refused
 * @returns null where {@link obstacle} says what is wrong
 */
export function parametersOf(operation: Operation, path: Bytes, strict: bool): Bytes | null {
  const parameters = operation.parameters;
  if (!checkQuery(parameters, path, strict)) return null;
  document.clear().addByte(123);
  for (let place = <i32>Place.Path; place <= <i32>Place.Cookie; place++) {
    if (place > 0) document.addByte(44);
    document.addByte(34).add(PLACES[place]).add('":{');
    if (!addMembers(parameters, place, path)) return null;
    document.addByte(125);
  }
  return document.addByte(125).view();
}

/** How many there are, and whether each is known. */
function checkQuery(parameters: Parameter[], path: Bytes, strict: bool): bool {
  let count = 0;
  query.query(path);
  while (query.next()) {
    if (query.whole.length == 0) continue;
    const name = decodeQuery(query.name, plainName);
    if (++count > MOST_PARTS) return obstacle.set(Place.Query, name, 'maxParameters');
    if (!strict) continue;
    let known = false;
    for (let i = 0; i < parameters.length && !known; i++)
      known = parameters[i].place == Place.Query && parameters[i].isNamed(name);
    if (!known) return obstacle.set(Place.Query, name, 'unknown');
  }
  return true;
}

enum Found {
  None,
  One,
  Refused,
}

function addMembers(parameters: Parameter[], place: Place, path: Bytes): bool {
  let first = true;
  for (let i = 0; i < parameters.length; i++) {
    if (parameters[i].place != place) continue;
    const found = addMember(parameters[i], first, path);
    if (found == Found.Refused) return false;
    if (found == Found.One) first = false;
  }
  return true;
}

/** Name and value; nothing where the request does not have it. */
function addMember(parameter: Parameter, first: bool, path: Bytes): Found {
  const before = document.length;
  if (!first) document.addByte(44);
  addJsonString(document, view(parameter.member));
  document.addByte(58);
  const found = parameter.members.length > 0 ? addObject(parameter, path) : addValue(parameter, path);
  if (found == Found.None) document.truncate(before);
  return found;
}

function addObject(parameter: Parameter, path: Bytes): Found {
  const members = parameter.members;
  let any = Found.None;
  document.addByte(123);
  for (let i = 0; i < members.length; i++) {
    const found = addMember(members[i], any == Found.None, path);
    if (found == Found.Refused) return found;
    if (found == Found.One) any = found;
  }
  document.addByte(125);
  return any;
}

function addValue(parameter: Parameter, path: Bytes): Found {
  if (parameter.place == Place.Query) return addQueryValue(parameter, path);
  if (parameter.place == Place.Cookie) return addCookieValue(parameter);
  if (parameter.place == Place.Header) return addHeaderValue(parameter);
  return addText(parameter, decodePart(Operation.partOf(path, parameter.part), plainValue));
}

function addQueryValue(parameter: Parameter, path: Bytes): Found {
  let count = 0;
  const spreads = parameter.isList && parameter.separator == 0;
  query.query(path);
  while (query.next()) {
    if (query.whole.length == 0 || !decodeQuery(query.name, plainName).equals(parameter.name)) continue;
    count++;
    if (spreads) document.addByte(count == 1 ? 91 : 44);
    else if (count > 1) return refuse(parameter, 'repeated');
    const value = query.value;
    // A comma that is escaped separates nothing; the other separators cannot stand in a URL as they are.
    const isPlain = !parameter.isList || parameter.separator != 44;
    if (spreads) addScalar(parameter, decodeQuery(value, plainValue));
    else if (isPlain) addText(parameter, decodeQuery(value, plainValue));
    else addSplit(parameter, value, true);
  }
  if (spreads && count > 0) document.addByte(93);
  return count > 0 ? Found.One : Found.None;
}

function addCookieValue(parameter: Parameter): Found {
  let count = 0;
  const fields = requestHeaders.all();
  while (fields.nextNamed('cookie')) {
    cookies.cookies(fields.value);
    while (cookies.next()) {
      if (!cookies.name.equals(parameter.name)) continue;
      if (++count > 1) return refuse(parameter, 'repeated');
      addText(parameter, cookies.value);
    }
  }
  return count > 0 ? Found.One : Found.None;
}

function addHeaderValue(parameter: Parameter): Found {
  let count = 0;
  const fields = requestHeaders.all();
  joined.clear();
  while (fields.nextNamed(parameter.name)) {
    if (++count > 1) {
      if (!parameter.isList) return refuse(parameter, 'repeated');
      joined.addByte(44);
    }
    joined.add(fields.value);
  }
  if (count > 0) addText(parameter, joined.view());
  return count > 0 ? Found.One : Found.None;
}

function refuse(parameter: Parameter, rule: string): Found {
  const name = parameter.place == Place.Header ? parameter.member : parameter.name;
  obstacle.set(parameter.place, view(name), rule);
  return Found.Refused;
}

/** A value, or a list of values with separators between them. */
function addText(parameter: Parameter, text: Bytes): Found {
  if (parameter.isList) addSplit(parameter, text, false);
  else addScalar(parameter, text);
  return Found.One;
}

/** @param encoded its items are still as in a query */
function addSplit(parameter: Parameter, text: Bytes, encoded: bool): void {
  document.addByte(91);
  let from = 0;
  while (from <= text.length && text.length > 0) {
    const mark = text.indexOf(parameter.separator, from);
    const item = text.slice(from, mark < 0 ? text.length : mark);
    if (from > 0) document.addByte(44);
    addScalar(parameter, encoded ? decodeQuery(item, plainValue) : item.trim());
    if (mark < 0) break;
    from = mark + 1;
  }
  document.addByte(93);
}

function addScalar(parameter: Parameter, text: Bytes): void {
  const isRaw =
    ((parameter.types & NUMBER) != 0 && isJsonNumber(text)) ||
    ((parameter.types & BOOLEAN) != 0 && (text.equals('true') || text.equals('false')));
  if (isRaw) document.add(text);
  else addJsonString(document, text);
}
