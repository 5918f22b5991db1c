import { JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import { Template, parseTemplate, templateFault } from '@weir/filters-sdk/assembly/template';

/** A text of the configuration that must be there. */
export function textOf(value: JsonValue): ArrayBuffer {
  if (value.kind != JsonKind.String) faultAt(value, 'expected a string');
  return value.text;
}

/** The same with variables. */
export function templateOf(value: JsonValue): Template {
  const template = parseTemplate(textOf(value));
  if (template !== null) return template;
  faultAt(value, templateFault());
  return new Template();
}
