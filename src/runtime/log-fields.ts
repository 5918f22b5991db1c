import type { AccessLogSpec } from './snapshot.ts';
import { Expression, ExpressionError } from './wasm/cel.ts';
import { UnencodableError } from './wasm/cel-values.ts';
import { encodeAttribute } from './wasm/properties.ts';
import type { AttributeValue, StreamHost } from './wasm/stream-host.ts';
import { streamProperty } from './wasm/stream-properties.ts';

/** A text is cut behind so many bytes, so that a line has an end. */
const MAX_TEXT = 1024;
const NOTHING = Buffer.alloc(0);

interface LogField {
  /** Name and colon, in JSON. */
  readonly key: string;
  readonly expression: Expression;
}

/** Fields of the access log that the configuration adds: values of CEL expressions over a stream. */
export class LogFields {
  readonly #fields: readonly LogField[];

  /** @throws ExpressionError */
  constructor(spec: AccessLogSpec['fields']) {
    this.#fields = spec.map(([name, text]) => ({
      key: `${JSON.stringify(name)}:`,
      expression: new Expression(text),
    }));
  }

  /** The end of a line's object, from its comma on: `,"fields":{…}`. Nothing where there are none. */
  json(stream: StreamHost): Buffer {
    if (this.#fields.length === 0) return NOTHING;
    const parts = this.#fields.map(({ key, expression }) => key + valueOf(expression, stream));
    return Buffer.from(`,"fields":{${parts.join()}}`);
  }
}

/** Null where the expression has no value. */
function valueOf(expression: Expression, stream: StreamHost): string {
  try {
    return jsonOf(expression.evaluate((path) => streamProperty(stream, path)));
  } catch (error) {
    if (error instanceof ExpressionError || error instanceof UnencodableError) return 'null';
    throw error;
  }
}

function jsonOf(value: AttributeValue): string {
  switch (value.type) {
    case 'int':
    case 'uint':
    case 'bool':
      return String(value.value);
    case 'double':
      return JSON.stringify(value.value);
    case 'list':
      return `[${value.value.map(jsonOf).join()}]`;
    case 'map':
      return `{${value.value.map(([key, of]) => `${JSON.stringify(key)}:${jsonOf(of)}`).join()}}`;
    default: {
      const bytes = Buffer.from(encodeAttribute(value, 'text') ?? NOTHING);
      return JSON.stringify(bytes.toString('utf8', 0, MAX_TEXT));
    }
  }
}
