// Everything that filters can import is used by a plugin that real hosts run, an example or a filter that ships: what
// nothing uses, nothing tests.
import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { SDK_MODULES } from '../../scripts/docs/sdk-reference.ts';
import { ROOT } from '../support/process.ts';

const SDK = `${ROOT}filters-sdk/assembly/`;

/** Sources of filters below a folder. */
function sourcesIn(folder: string): string[] {
  return readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^as-gcore\//.test(name))
    .map((name) => `${ROOT}${folder}/${name}`);
}

const users = ['test/plugins', 'filters-sdk/examples', 'src/filters'].flatMap(sourcesIn);

const modules = SDK_MODULES.map((name) => `${SDK}${name}.ts`);

function programOf(files: readonly string[]): ts.Program {
  const config = `${ROOT}filters-sdk/tsconfig.json`;
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    `${ROOT}filters-sdk`,
  );
  return ts.createProgram([...files], options);
}

/** Declarations of what a filter can name: exports, and what their classes show. */
function offered(checker: ts.TypeChecker, program: ts.Program): Map<ts.Node, string> {
  const names = new Map<ts.Node, string>();
  for (const file of modules) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
    for (const one of checker.getExportsOfModule(module)) {
      const symbol = resolved(checker, one);
      for (const declaration of symbol.declarations ?? []) {
        if (isOfSdkAlone(declaration)) continue;
        // A class that nobody names is used where one of its members is.
        if (ts.isClassDeclaration(declaration)) addMembers(names, declaration);
        else names.set(declaration, symbol.name);
      }
    }
  }
  return names;
}

function addMembers(names: Map<ts.Node, string>, declaration: ts.ClassDeclaration): void {
  for (const member of declaration.members) {
    const flags = ts.getCombinedModifierFlags(member);
    if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected) || isOfSdkAlone(member)) continue;
    if (member.name !== undefined) names.set(member, `${declaration.name!.text}.${member.name.getText()}`);
  }
}

/** Exported for other files of the SDK, as its comment says. */
function isOfSdkAlone(node: ts.Node): boolean {
  const comment = node.getFullText().slice(0, node.getStart() - node.getFullStart());
  return /the SDK's\.|for the SDK\b|set by the SDK/i.test(comment);
}

function resolved(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** What the sources of filters name, and what of the SDK's classes they override. */
function namedBy(checker: ts.TypeChecker, sources: readonly ts.SourceFile[]): Set<ts.Node> {
  const named = new Set<ts.Node>();
  const add = (symbol: ts.Symbol | undefined): void => {
    if (symbol === undefined) return;
    for (const declaration of resolved(checker, symbol).declarations ?? []) named.add(declaration);
  };
  const visit = (node: ts.Node): void => {
    // That a name is imported says nothing of its use.
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isIdentifier(node)) add(checker.getSymbolAtLocation(node));
    if (ts.isClassDeclaration(node)) {
      const bases = node.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
      for (const base of bases)
        for (const member of node.members)
          if (member.name !== undefined)
            add(checker.getTypeAtLocation(base).getProperty(member.name.getText()));
    }
    ts.forEachChild(node, visit);
  };
  for (const source of sources) visit(source);
  return named;
}

test('every export of the SDK, and every member of its classes, is used by a plugin, an example or a filter that ships', () => {
  const program = programOf([...users, ...modules]);
  const checker = program.getTypeChecker();
  const names = offered(checker, program);
  const named = namedBy(
    checker,
    users.map((file) => program.getSourceFile(file)!),
  );
  expect(names.size).toBeGreaterThan(200);
  const unused = [...names].filter(([declaration]) => !named.has(declaration)).map(([, name]) => name);
  expect([...new Set(unused)].sort()).toEqual([]);
});
