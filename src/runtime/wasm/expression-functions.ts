import { Status } from './abi.ts';
import { Expression, ExpressionError } from './cel.ts';
import { UnencodableError } from './cel-values.ts';
import type { ForeignResult } from './foreign-result.ts';
import { readU32 } from './pairs.ts';
import { encodeAttribute } from './properties.ts';
import { property } from './property-calls.ts';
import type { Vm } from './vm.ts';

/** `expr_create`: a CEL expression, answered with its token for this root context. */
export function createExpression(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const { expressions } = vm.root;
  if (expressions.full) {
    vm.plugin.warnOnce('expr_create: there are too many expressions');
    return Status.InternalFailure;
  }
  const text = Buffer.from(memory.buffer, memory.byteOffset + start, end - start).toString();
  try {
    result.small.writeUInt32LE(expressions.add(new Expression(text)));
    result.length = 4;
    return Status.Ok;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    vm.plugin.warnOnce(`expr_create: ${error.message}, in ${JSON.stringify(text.slice(0, 200))}`);
    return Status.BadArgument;
  }
}

/** `expr_evaluate`: the value of an expression for the effective context, encoded as properties are. */
export function evaluateExpression(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start !== 4) return Status.BadArgument;
  const expression = vm.root.expressions.get(readU32(memory, start));
  if (expression === undefined) return Status.NotFound;
  try {
    const value = expression.evaluate((path) => property(vm, path));
    const bytes = encodeAttribute(value, vm.plugin.spec.properties);
    if (bytes === null) return Status.SerializationFailure;
    result.set(bytes);
    return Status.Ok;
  } catch (error) {
    if (error instanceof UnencodableError) return Status.SerializationFailure;
    if (!(error instanceof ExpressionError)) throw error;
    vm.plugin.warnOnce(`expr_evaluate: ${error.message}`);
    return Status.InternalFailure;
  }
}

/** `expr_delete`: lets an expression go; a token that is not one is Ok, too. */
export function deleteExpression(vm: Vm, memory: Uint8Array, start: number, end: number): Status {
  if (end - start !== 4) return Status.BadArgument;
  vm.root.expressions.delete(readU32(memory, start));
  return Status.Ok;
}
