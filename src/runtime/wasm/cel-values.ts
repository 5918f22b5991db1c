import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { hostPort } from './host-port.ts';
import type { AttributeFields, AttributeValue } from './stream-host.ts';

/** A value of an expression. Numbers are doubles, dates are timestamps. */
export type CelValue =
  | string
  | bigint
  | number
  | boolean
  | null
  | Uint8Array
  | UnsignedInt
  | Date
  | Duration
  | CelValue[]
  | Map<CelValue, CelValue>
  | { [key: string]: CelValue };

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** `request` and its like: fields are looked up when they are named. A map in that it has fields. */
export class AttributeGroup extends Map<string, CelValue> {
  readonly #find: (field: string) => CelValue | undefined;

  constructor(find: (field: string) => CelValue | undefined) {
    super();
    this.#find = find;
  }

  override get(field: string): CelValue | undefined {
    return this.#find(field);
  }
}

/** Text that is not UTF-8 loses what is not; times lose what is below a millisecond. */
export function toCel(attribute: AttributeValue): CelValue {
  switch (attribute.type) {
    case 'string':
      return typeof attribute.value === 'string' ? attribute.value : Buffer.from(attribute.value).toString();
    case 'address':
      return hostPort(attribute.host, attribute.port);
    case 'uint':
      return new UnsignedInt(attribute.value);
    case 'time':
      return new Date(Number(attribute.value / NS_PER_MS));
    case 'duration':
      return new Duration(attribute.value / NS_PER_SECOND, Number(attribute.value % NS_PER_SECOND));
    case 'map':
    case 'message':
      return new Map(attribute.value.map(([key, value]) => [key, toCel(value)]));
    case 'list':
      return attribute.value.map(toCel);
    // Looked up part by part (`AttributeGroup`), so that nothing asks for it whole.
    case 'group':
      return null;
    default:
      return attribute.value;
  }
}

/** What cannot be encoded for a guest. */
export class UnencodableError extends Error {
  constructor(kind: string) {
    super(`a value of type ${kind} cannot be given to a module`);
    this.name = 'UnencodableError';
  }
}

/** @throws UnencodableError for null, types, and `request` and its like as a whole */
export function fromCel(value: CelValue): AttributeValue {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'bigint') return { type: 'int', value };
  if (typeof value === 'number') return { type: 'double', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (value === null) throw new UnencodableError('null');
  if (value instanceof Uint8Array) return { type: 'bytes', value };
  if (value instanceof UnsignedInt) return { type: 'uint', value: value.value };
  if (value instanceof Date) return { type: 'time', value: BigInt(value.getTime()) * NS_PER_MS };
  if (value instanceof Duration)
    return { type: 'duration', value: value.seconds * NS_PER_SECOND + BigInt(value.nanos) };
  if (Array.isArray(value)) return { type: 'list', value: value.map(fromCel) };
  if (value.constructor === Map) return mapOf([...(value as Map<CelValue, CelValue>)]);
  if (value.constructor === Object) return mapOf(Object.entries(value));
  throw new UnencodableError(value.constructor.name);
}

function mapOf(entries: readonly (readonly [key: CelValue, value: CelValue])[]): AttributeValue {
  const fields: AttributeFields = entries.map(([key, value]) => [String(key), fromCel(value)]);
  return { type: 'map', value: fields };
}
