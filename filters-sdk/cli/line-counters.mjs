// A step of the AssemblyScript compiler that counts how often each statement of the author's sources runs. It works
// on statements and not on the code that comes of them: what is inlined counts where it is written, and what the
// compiler leaves out, because nothing uses it, is known to be there and never to run.
import { Node, NodeKind } from 'assemblyscript';

/** Where the module says which counter belongs to which line: JSON, a list of file and line each. */
const LINES_SECTION = 'weir.lines';
/** The exported global with the address of the counters, an u32 each. */
const ADDRESS = '__weir_lines';
const COUNT = '__weir_line';

/** Lists of statements, by the kind of their node. */
const LISTS = new Map([
  [NodeKind.Block, ['statements']],
  [NodeKind.SwitchCase, ['statements']],
  [NodeKind.Try, ['bodyStatements', 'catchStatements', 'finallyStatements']],
]);
/** Statements that stand alone, with or without braces. */
const SINGLE = new Map([
  [NodeKind.If, ['ifTrue', 'ifFalse']],
  [NodeKind.For, ['body']],
  [NodeKind.ForOf, ['body']],
  [NodeKind.While, ['body']],
  [NodeKind.Do, ['body']],
]);
/** Statements that do something when they are reached. */
const RUNS = new Set([
  NodeKind.Break,
  NodeKind.Continue,
  NodeKind.Do,
  NodeKind.Expression,
  NodeKind.For,
  NodeKind.ForOf,
  NodeKind.If,
  NodeKind.Return,
  NodeKind.Switch,
  NodeKind.Throw,
  NodeKind.Try,
  NodeKind.Variable,
  NodeKind.Void,
  NodeKind.While,
]);

export default class LineCounters {
  afterParse(parser) {
    /** File and line, by counter. */
    this.lines = [];
    this.seen = new Set();
    for (const source of parser.sources) {
      if (source.normalizedPath.startsWith('~lib/')) continue;
      for (const statement of source.statements) this.visit(statement);
      source.statements = source.statements.flatMap((statement) =>
        statement.kind === NodeKind.Expression ? this.counted([statement]) : [statement],
      );
    }
    const bytes = 4 * Math.max(this.lines.length, 1);
    parser.parseFile(
      `export const ${ADDRESS}: usize = memory.data(${bytes});
      @global @inline function ${COUNT}(line: usize): void {
        const at = ${ADDRESS} + (line << 2);
        store<u32>(at, load<u32>(at) + 1);
      }`,
      '~lib/weir-lines.ts',
      true,
    );
  }

  afterCompile(module) {
    module.addCustomSection(LINES_SECTION, Buffer.from(JSON.stringify(this.lines)));
  }

  visit(node) {
    if (this.seen.has(node)) return;
    this.seen.add(node);
    for (const name of SINGLE.get(node.kind) ?? []) {
      const statement = node[name];
      if (statement && statement.kind !== NodeKind.Block)
        node[name] = Node.createBlockStatement([statement], statement.range);
    }
    for (const child of childrenOf(node)) this.visit(child);
    for (const name of LISTS.get(node.kind) ?? []) if (node[name]) node[name] = this.counted(node[name]);
  }

  counted(statements) {
    return statements.flatMap((statement) => {
      if (!RUNS.has(statement.kind)) return [statement];
      // The constructor of a class above comes first.
      return isSuperCall(statement)
        ? [statement, this.counter(statement)]
        : [this.counter(statement), statement];
    });
  }

  counter({ range }) {
    const number = this.lines.push([range.source.normalizedPath, range.source.lineAt(range.start)]) - 1;
    const callee = Node.createIdentifierExpression(COUNT, range, false);
    const literal = Node.createIntegerLiteralExpression(globalThis.i64_new(number, 0), range);
    return Node.createExpressionStatement(Node.createCallExpression(callee, null, [literal], range));
  }
}

function isSuperCall({ kind, expression }) {
  return kind === NodeKind.Expression && expression.expression?.kind === NodeKind.Super;
}

function* childrenOf(node) {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (child !== null && typeof child === 'object' && typeof child.kind === 'number' && child.range)
        yield child;
  }
}
