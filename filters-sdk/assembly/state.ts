// Properties that outlive a callback in ways of their own, and expressions over all of them.
import { Bytes } from './bytes';
import { callForeign } from './foreign';
import { addField, addNumberField } from './protobuf';
import { ByteWriter } from './writer';

/** How long a property is kept. */
export enum Span {
  Stream = 0,
  /** For all streams of the client's connection. */
  Connection = 2,
}

/** How a property that a filter sets is read: as bytes, or as text. */
export enum PropertyType {
  Bytes = 0,
  String = 1,
}

/** Says how a property is kept that this filter will set. Once for each name; false where the host refuses. */
export function declareProperty(name: string, readOnly: bool, type: PropertyType, span: Span): bool {
  const message = new ByteWriter();
  addField(message, 1, name);
  addNumberField(message, 2, readOnly);
  addNumberField(message, 3, type);
  addNumberField(message, 5, span);
  return callForeign('declare_property', message.view()) !== null;
}

/** Sets `envoy.tcp_proxy.cluster`, `envoy.string` or `envoy.hashable_string`, read as `filter_state.<key>`. */
export function setFilterState(key: string, value: string, span: Span): bool {
  const message = new ByteWriter();
  addField(message, 1, key);
  addField(message, 2, value);
  addNumberField(message, 3, span);
  return callForeign('set_envoy_filter_state', message.view()) !== null;
}

/** A CEL expression over properties. Make it in `onConfigure`: the host compiles it, and cannot before. */
export class Expression {
  private token: ArrayBuffer | null = null;

  constructor(text: string) {
    const token = callForeign('expr_create', text);
    if (token !== null) this.token = token.copy();
  }

  /** False: the host refused the text, or has no expressions. */
  get valid(): bool {
    return this.token !== null;
  }

  /** Its value for the running context, encoded as a property of its type; null where it has none. */
  evaluate(): Bytes | null {
    const token = this.token;
    return token === null ? null : callForeign<ArrayBuffer>('expr_evaluate', token);
  }

  /** Whether it is a boolean, and true. */
  holds(): bool {
    const value = this.evaluate();
    return value !== null && value.length == 1 && value.at(0) == 1;
  }

  /** Lets it go; it has no value after that. */
  remove(): void {
    const token = this.token;
    if (token !== null) callForeign<ArrayBuffer>('expr_delete', token);
    this.token = null;
  }
}
