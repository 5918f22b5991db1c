/** docs/authoring/api.md: what the SDK exports, from its sources. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const FOLDER = fileURLToPath(new URL('../../filters-sdk/assembly/', import.meta.url));

/** Files that filters import themselves, beside the index. */
const OWN = [
  'wait',
  'configuration',
  'config',
  'json',
  'json-scan',
  'json-text',
  'grpc',
  'limits',
  'counters',
  'metrics',
  'template',
  'fields',
  'parts',
  'bearer',
  'peer-names',
  'claims',
  'consumer',
  'plans',
  'sealing',
  'sha256',
  'passwords',
  'base64',
  'foreign',
  'signatures',
  'jws',
  'state',
  'protobuf',
  'url',
] as const;

/** The modules that filters import: `@weir/filters-sdk/assembly`, and those of a file of their own. */
export const SDK_MODULES: readonly string[] = ['index', ...OWN];

/** An exported name that has no comment, as `file.ts: name`. */
export const uncommented: string[] = [];

interface Exported {
  readonly name: string;
  readonly declaration: ts.Declaration;
}

export function sdkReference(generated: string): string {
  uncommented.length = 0;
  const lines = [
    '# API of the SDK',
    '',
    generated,
    '',
    'Everything that a filter can import, from the comments of `filters-sdk/assembly`. How it fits together is in the',
    '[guide](README.md).',
    '',
    'A type parameter stands for bytes: a `string` (encoded on each call), an `ArrayBuffer`, or `Bytes`. Calls do not name it.',
  ];
  const index = parse('index');
  lines.push('', '## @weir/filters-sdk/assembly');
  for (const statement of index.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) continue;
    const file = (statement.moduleSpecifier as ts.StringLiteral).text.slice(2);
    const names = (statement.exportClause as ts.NamedExports).elements.map(({ name }) => name.text);
    const known = exportsOf(file);
    for (const name of names) {
      const found = known.find((one) => one.name === name);
      if (found === undefined) throw new Error(`index.ts hands on ${name}, which ${file}.ts does not export`);
      lines.push(...section(file, found));
    }
  }
  for (const file of OWN) {
    lines.push('', `## @weir/filters-sdk/assembly/${file}`);
    const elsewhere: string[] = [];
    for (const one of exportsOf(file)) {
      const home = one.declaration.getSourceFile().fileName.replace('.ts', '');
      if (home === file || !OWN.some((own) => own === home)) lines.push(...section(home, one));
      else elsewhere.push(`[\`${one.name}\`](#${one.name.toLowerCase()})`);
    }
    if (elsewhere.length > 0) lines.push('', `Here as well: ${elsewhere.join(', ')}.`);
  }
  return `${lines.join('\n')}\n`;
}

function parse(file: string): ts.SourceFile {
  const name = `${file}.ts`;
  return ts.createSourceFile(name, readFileSync(FOLDER + name, 'utf8'), ts.ScriptTarget.Latest, true);
}

/** In the order of the file, those behind what it hands on from others. */
function exportsOf(file: string): Exported[] {
  const found: Exported[] = [];
  const handedOn: Exported[] = [];
  const source = parse(file);
  for (const statement of source.statements) {
    if (ts.isExportDeclaration(statement) && statement.exportClause !== undefined) {
      // Those that were imported are described where they are declared.
      const names = (statement.exportClause as ts.NamedExports).elements.map(({ name }) => name.text);
      for (const name of names) {
        const from = originOf(source, statement, name);
        handedOn.push(exportsOf(from).find((one) => one.name === name)!);
      }
    } else if (isExported(statement)) {
      if (ts.isVariableStatement(statement)) {
        for (const declaration of statement.declarationList.declarations)
          found.push({ name: declaration.name.getText(), declaration });
      } else {
        const declaration = statement as ts.DeclarationStatement;
        found.push({ name: declaration.name!.getText(), declaration });
      }
    }
  }
  return [...found, ...handedOn];
}

function originOf(source: ts.SourceFile, statement: ts.ExportDeclaration, name: string): string {
  if (statement.moduleSpecifier !== undefined)
    return (statement.moduleSpecifier as ts.StringLiteral).text.slice(2);
  for (const one of source.statements) {
    if (!ts.isImportDeclaration(one)) continue;
    const bindings = one.importClause?.namedBindings;
    if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
    if (bindings.elements.some((element) => element.name.text === name))
      return (one.moduleSpecifier as ts.StringLiteral).text.slice(2);
  }
  throw new Error(`${source.fileName} exports ${name} and does not have it`);
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function section(file: string, { name, declaration }: Exported): string[] {
  const owner = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const comment = commentOf(owner);
  if (comment === '') uncommented.push(`${file}.ts: ${name}`);
  const lines = ['', `### ${name}`, '', '```ts', signature(declaration), '```'];
  if (comment !== '') lines.push('', comment);
  if (ts.isClassDeclaration(declaration)) lines.push(...membersOf(declaration));
  if (ts.isEnumDeclaration(declaration)) {
    lines.push('');
    for (const member of declaration.members) lines.push(item(member.getText(), commentOf(member)));
  }
  return lines;
}

function membersOf(declaration: ts.ClassDeclaration): string[] {
  const lines: string[] = [];
  for (const member of declaration.members) {
    const flags = ts.getCombinedModifierFlags(member);
    if (flags & ts.ModifierFlags.Private) continue;
    const comment = commentOf(member);
    // Fields that only the SDK uses say so.
    if (/the SDK's\.$/i.test(comment.trim())) continue;
    lines.push(item(memberSignature(member), comment));
  }
  return lines.length > 0 ? ['', ...lines] : [];
}

function item(code: string, comment: string): string {
  const text = comment.replaceAll('\n\n', '\n').replaceAll('\n', '\n  ');
  return `- \`${code}\`${text === '' ? '' : `: ${text}`}`;
}

function signature(declaration: ts.Declaration): string {
  if (ts.isFunctionDeclaration(declaration)) return `function ${head(declaration, declaration.body)}`;
  if (ts.isClassDeclaration(declaration)) {
    const heritage = declaration.heritageClauses?.map((clause) => ` ${clause.getText()}`).join('') ?? '';
    const abstract = ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Abstract ? 'abstract ' : '';
    return `${abstract}class ${declaration.name!.text}${heritage}`;
  }
  if (ts.isEnumDeclaration(declaration)) return `enum ${declaration.name.text}`;
  if (ts.isVariableDeclaration(declaration))
    return `const ${declaration.name.getText()}: ${typeOf(declaration)}`;
  return squeeze(declaration.getText().replace(/^export (declare )?/, ''));
}

function typeOf(declaration: ts.VariableDeclaration): string {
  if (declaration.type !== undefined) return declaration.type.getText();
  const cast = /^changetype<([^>]+)>/.exec(declaration.initializer?.getText() ?? '');
  if (cast === null) throw new Error(`${declaration.getText()}: its type must be written out`);
  return cast[1]!;
}

function memberSignature(member: ts.ClassElement): string {
  if (ts.isConstructorDeclaration(member)) {
    const parameters = member.parameters.map((one) => squeeze(one.getText().replace(/^public /, '')));
    return `new (${parameters.join(', ')})`;
  }
  if (ts.isMethodDeclaration(member)) {
    const isStatic = ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Static;
    return `${isStatic ? 'static ' : ''}${head(member, member.body)}`;
  }
  if (ts.isGetAccessorDeclaration(member)) return `${member.name.getText()}: ${member.type!.getText()}`;
  const property = member as ts.PropertyDeclaration;
  return `${property.name.getText()}: ${property.type!.getText()}`;
}

/** Name, parameters and result, without modifiers and body. */
function head(node: ts.FunctionDeclaration | ts.MethodDeclaration, body: ts.Block | undefined): string {
  const end = (body?.getStart() ?? node.getEnd()) - node.name!.getStart();
  const source = node.getSourceFile().text.slice(node.name!.getStart(), node.name!.getStart() + end);
  return squeeze(source).replace(/;$/, '');
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\( /g, '(').replace(/,? \)/g, ')').trim();
}

/** The text of the comment before a declaration, as Markdown. Empty where there is none. */
function commentOf(node: ts.Node): string {
  const text = node.getSourceFile().text;
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  const last = ranges.at(-1);
  if (last === undefined) return '';
  const raw = text.slice(last.pos, last.end);
  if (!raw.startsWith('/**')) return '';
  const lines = raw
    .slice(3, -2)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  return lines
    .join('\n')
    .trim()
    .replaceAll(/\{@link (\S+)\}/g, '`$1`')
    .replaceAll(/^@param (\w+) /gm, '- `$1`: ')
    .replaceAll(/(\S) @param (\w+) /g, '$1 `$2`: ')
    .replaceAll(/^@returns /gm, '- Returns: ')
    .replaceAll(/\n(- )/g, '\n\n$1')
    .replaceAll(/(\n- [^\n]*)\n\n(?=- )/g, '$1\n');
}
