// What the SDK reads and writes by itself: JSON, templates, fields, bytes. Templates read the host's attributes.
import {
  Action,
  ByteWriter,
  Bytes,
  Pairs,
  PairsWriter,
  StreamContext,
  isToken,
  lower,
  requestBody,
  requestHeader,
  requestHeaders,
  responseHeaders,
  utf8,
  view,
} from '@weir/filters-sdk/assembly';
import { Config, JsonKind, faultAt, rootOf } from '@weir/filters-sdk/assembly/config';
import { fieldName, isFieldValue } from '@weir/filters-sdk/assembly/fields';
import { JsonValue, logAt, readJson, textEquals } from '@weir/filters-sdk/assembly/json';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';

/** Of `text {…}`: members `request` and `response` with templates by header, `free` with what one likes. */
export class TextSettings {
  readonly request: Named[] = [];
  readonly response: Named[] = [];
  free: string = '';

  /** False where anything is wrong; the log says what. */
  read(text: ArrayBuffer): bool {
    const config = new Config(rootOf(text));
    const request = config.required('request');
    if (request !== null) this.readTemplates(Config.of(request), this.request);
    if (config.has('response')) this.readTemplates(config.object('response'), this.response);
    const free = config.member('free');
    if (free !== null) this.free = shape(free);
    return config.end();
  }

  private readTemplates(config: Config, into: Named[]): void {
    const members = config.all();
    for (let i = 0; i < members.length; i++) {
      const name = fieldName(members[i].name);
      const template: Template | null = parseTemplate(members[i].text);
      if (name === null) faultAt(members[i], 'not the name of a field');
      else if (template === null) logAt(members[i].offset, templateFault());
      else into.push(new Named(name, template));
    }
  }
}

class Named {
  constructor(
    public name: ArrayBuffer,
    public template: Template,
  ) {}
}

/** Kinds, names and indexes of a value, and how long its text is. */
function shape(value: JsonValue): string {
  let text = (<i32>value.kind).toString() + '(' + (value.end - value.offset).toString();
  for (let i = 0; i < value.items.length; i++) {
    const item = value.items[i];
    const named = value.kind == JsonKind.Object && textEquals(item.name, 'one');
    text += ' ' + (named == item.isNamed('one') ? '' : 'wrong ') + item.index.toString() + ':' + shape(item);
  }
  return text + (value.is('text') ? '!' : '') + ')';
}

export class Text extends StreamContext {
  constructor(private settings: TextSettings) {
    super();
  }

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    const templates = this.settings.request;
    for (let i = 0; i < templates.length; i++)
      requestHeaders.set(templates[i].name, templates[i].template.render());
    requestHeaders.set('x-free', this.settings.free);
    const value = requestHeader('x-given');
    if (value !== null) requestHeaders.set('x-bytes', compared(value));
    requestHeaders.set('x-fields', walked(requestHeaders.all()));
    requestHeaders.remove('content-length');
    return Action.Continue;
  }

  onRequestBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    const value = readJson<Bytes>(requestBody.read());
    requestBody.replace(value === null ? 'no JSON' : shape(value));
    return Action.Continue;
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const templates = this.settings.response;
    for (let i = 0; i < templates.length; i++)
      responseHeaders.set(templates[i].name, templates[i].template.render());
    const kept = new PairsWriter();
    const all = responseHeaders.all();
    while (all.next()) if (!all.name.startsWith('x-internal')) kept.add(all.name, all.value);
    responseHeaders.replaceAll(kept);
    responseHeaders.set('x-has', responseHeaders.has('x-internal').toString());
    return Action.Continue;
  }
}

/** Names of fields in `x-…`, those that occur twice marked. */
function walked(fields: Pairs): string {
  let text = '';
  for (let i = 0; i < fields.count && fields.next(); i++) {
    if (!fields.name.startsWith('x-given')) continue;
    text += fields.name.slice(2).toString() + '=' + fields.value.length.toString() + ' ';
  }
  fields.rewind();
  let again = 0;
  while (fields.nextNamed('x-given')) again++;
  return text + again.toString();
}

function compared(value: Bytes): string {
  const trimmed = value.trim();
  const writer = new ByteWriter(8);
  writer.add(trimmed).addByte(33).addNumber(trimmed.length).addU32(0x64636261);
  memory.fill(writer.reserve(2), 46, 2);
  const kept = view(writer.copy());
  const shout = utf8('GIVEN');
  const parts = [
    trimmed.equalsIgnoreCase(shout).toString(),
    trimmed.equalsInConstantTime('given').toString(),
    trimmed.endsWith('n').toString(),
    trimmed.lastIndexOf(101).toString(),
    (trimmed.hash() == view(utf8('given')).hash()).toString(),
    isToken(trimmed.at(0)).toString(),
    lower(71).toString(),
    isFieldValue(kept.copy()).toString(),
    kept.toString(),
  ];
  return parts.join(' ');
}
