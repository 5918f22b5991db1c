// A configuration class as JSON Schema, draft 2020-12. Beside the standard's own keywords:
//   x-weir-phase, x-weir-capabilities   what the author declares of the filter
//   x-weir-source                       file and line of the field or class
//   x-weir-duration, x-weir-size        [least, most] in ms and bytes, which text cannot be compared with
import { writtenAs } from './configuration-model.mjs';

const DURATION = '^([0-9]{1,12}d)?([0-9]{1,12}h)?([0-9]{1,12}m)?([0-9]{1,12}s)?([0-9]{1,12}ms)?$';
const SIZE = '^[0-9]{1,12}(Ki|Mi|Gi|k|M|G)?$';
const UNBOUNDED = 2 ** 31 - 1;

export function schemaOf(root) {
  const { title = root.name, phase, capabilities } = root.options;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title,
    ...(root.doc === '' ? {} : { description: root.doc }),
    ...(phase === undefined ? {} : { 'x-weir-phase': phase }),
    ...(capabilities === undefined ? {} : { 'x-weir-capabilities': capabilities }),
    ...objectSchema(root),
  };
}

function objectSchema({ place, fields, exactlyOneOf }) {
  const required = fields.filter((field) => field.required).map(({ name }) => name);
  const needs = fields.filter((field) => field.needs !== null).map(({ name, needs }) => [name, [needs]]);
  return {
    'x-weir-source': place,
    type: 'object',
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    ...(exactlyOneOf.length === 0 ? {} : { oneOf: exactlyOneOf.map((name) => ({ required: [name] })) }),
    ...(needs.length === 0 ? {} : { dependentRequired: Object.fromEntries(needs) }),
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
  };
}

function fieldSchema(field) {
  const schema = shapeSchema(field.shape);
  return {
    ...(field.doc === '' ? {} : { description: field.doc }),
    ...schema,
    'x-weir-source': field.place,
    ...(field.secret ? { writeOnly: true } : {}),
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.examples.length === 0 ? {} : { examples: field.examples }),
  };
}

function shapeSchema(shape) {
  const { least, most } = shape;
  const counted = (low, high) => ({
    ...(least > 0 ? { [low]: least } : {}),
    ...(most < UNBOUNDED ? { [high]: most } : {}),
  });
  switch (shape.kind) {
    case 'boolean':
      return { type: 'boolean' };
    case 'integer':
    case 'number':
      return { type: shape.kind, minimum: least, maximum: most };
    case 'text':
      return { type: 'string', ...counted('minLength', 'maxLength'), ...patternOf(shape.pattern) };
    case 'choice':
    case 'listed':
      return { enum: shape.values };
    case 'duration':
      return {
        type: 'string',
        pattern: DURATION,
        minLength: 2,
        'x-weir-duration': [least, most],
        examples: [writtenAs(shape, Math.max(least, Math.min(most, 10_000)))],
      };
    case 'size':
      return {
        type: ['string', 'integer'],
        pattern: SIZE,
        'x-weir-size': [least, most],
        examples: [writtenAs(shape, Math.max(least, Math.min(most, 65_536)))],
      };
    case 'json':
      return shape.schema;
    case 'list':
      return { type: 'array', ...counted('minItems', 'maxItems'), items: shapeSchema(shape.of) };
    case 'map':
      return {
        type: 'object',
        ...counted('minProperties', 'maxProperties'),
        ...(shape.pattern === null ? {} : { propertyNames: { type: 'string', ...patternOf(shape.pattern) } }),
        additionalProperties: shapeSchema(shape.of),
      };
    default:
      return {
        ...(shape.of.doc === '' ? {} : { description: shape.of.doc }),
        ...objectSchema(shape.of),
      };
  }
}

function patternOf(pattern) {
  return pattern === null ? {} : { pattern: `^(?:${pattern.text})$` };
}
