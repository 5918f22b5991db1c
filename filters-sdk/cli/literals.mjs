// Values that stand in a source as they are.
import { LiteralKind, NodeKind, Token } from 'assemblyscript';

/** The value of an expression without names and calls, undefined where it is none. */
export function literal(node) {
  switch (node.kind) {
    case NodeKind.True:
      return true;
    case NodeKind.False:
      return false;
    case NodeKind.Null:
      return null;
    case NodeKind.Parenthesized:
      return literal(node.expression);
    case NodeKind.UnaryPrefix: {
      const value = literal(node.operand);
      return node.operator === Token.Minus && typeof value === 'number' ? -value : undefined;
    }
    case NodeKind.Literal:
      return ofLiteral(node);
    default:
      return undefined;
  }
}

function ofLiteral(node) {
  switch (node.literalKind) {
    case LiteralKind.String:
      return node.value;
    case LiteralKind.Integer:
      return Number(textOf(node).replaceAll('_', ''));
    case LiteralKind.Float:
      return node.value;
    case LiteralKind.Array:
      return node.elementExpressions.map((item) => literal(item));
    case LiteralKind.Object:
      return Object.fromEntries(node.names.map((name, i) => [name.text, literal(node.values[i])]));
    default:
      return undefined;
  }
}

/** What a node covers in its source. */
export function textOf({ range: { source, start, end } }) {
  return source.text.slice(start, end);
}
