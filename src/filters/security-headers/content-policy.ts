import { Bytes, ByteWriter, view } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { AnswerField } from './answer-field';

const SEMICOLON = 59;
const COMMA = 44;
const NONCE = '${nonce}';

/** Reads `directives` of a Content Security Policy (Level 3, section 2.2): one string each, such as `script-src 'self' ${nonce}`. */
export function readContentPolicy(config: Config, name: ArrayBuffer): AnswerField {
  const field = new AnswerField(name);
  const directives = config.items('directives');
  if (directives.length == 0) config.fault('directives', 'expected a list of at least one directive');
  const text = new ByteWriter(256);
  for (let i = 0; i < directives.length; i++) {
    if (!isDirective(directives[i]) || isRepeated(directives, i)) continue;
    if (i > 0) text.add('; ');
    let rest = view(directives[i].text);
    for (let at = rest.indexOfBytes(NONCE); at >= 0; at = rest.indexOfBytes(NONCE)) {
      field.addPart(text.add(rest.slice(0, at)).copy());
      text.clear();
      rest = rest.slice(at + NONCE.length);
    }
    text.add(rest);
  }
  field.addPart(text.copy());
  return field;
}

function isDirective(item: JsonValue): bool {
  if (item.kind == JsonKind.String && isDirectiveText(view(item.text))) return true;
  faultAt(item, 'expected a directive, such as "script-src \'self\'", without semicolon and comma');
  return false;
}

function isDirectiveText(text: Bytes): bool {
  if (nameOf(text).length == 0 || text.trim().length != text.length) return false;
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    if (byte < 32 || byte > 126 || byte == SEMICOLON || byte == COMMA) return false;
  }
  return true;
}

/** Browsers take the first directive of a name and leave out the others. */
function isRepeated(directives: JsonValue[], index: i32): bool {
  const name = nameOf(view(directives[index].text));
  for (let i = 0; i < index; i++) {
    if (directives[i].kind != JsonKind.String || !nameOf(view(directives[i].text)).equals(name)) continue;
    faultAt(directives[index], 'a directive of this name is there already');
    return true;
  }
  return false;
}

/** The letters in front; empty where something else than a blank follows. */
function nameOf(text: Bytes): Bytes {
  let length = 0;
  while (length < text.length && (text.at(length) == 45 || <u32>(text.at(length) - 97) < 26)) length++;
  return length == text.length || text.at(length) == 32 ? text.slice(0, length) : text.slice(0, 0);
}
