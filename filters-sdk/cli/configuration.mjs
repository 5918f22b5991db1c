// A step of the AssemblyScript compiler (`--transform @weir/filters-sdk/configuration`): gives the classes of
// a plugin's configuration (assembly/configuration.ts) their decoder, and the module its schema, in the
// custom section `weir.schema`. A filter without such a class is compiled as if this step were not there.
import { DiagnosticCode, NodeKind, Parser } from 'assemblyscript';
import { decoderOf, emptyOf } from './configuration-decoder.mjs';
import { ModelFault, readModel } from './configuration-model.mjs';
import { schemaOf } from './configuration-schema.mjs';

/** On a parser whose classes have their decoders: an asconfig.json may name this step a second time. */
const DONE = Symbol.for('@weir/filters-sdk/configuration');

export default class Configuration {
  schema = null;

  afterParse(parser) {
    if (parser[DONE]) return;
    parser[DONE] = true;
    try {
      const model = readModel(parser.sources);
      if (model === null) return;
      for (const one of model.classes) addDecoder(one);
      if (model.root !== null) this.schema = schemaOf(model.root);
    } catch (error) {
      if (!(error instanceof ModelFault)) throw error;
      this.program.error(DiagnosticCode.User_defined_0, error.range, error.message);
    }
  }

  afterCompile(module) {
    if (this.schema !== null)
      module.addCustomSection('weir.schema', Buffer.from(JSON.stringify(this.schema)));
  }
}

function addDecoder(model) {
  const { node, fields } = model;
  const inits = fields
    .filter(({ required }) => required)
    .map(({ shape, node: { name } }) => `${name.text} = ${emptyOf(shape)};`);
  const parser = new Parser();
  parser.parseFile(`class ${node.name.text} { ${inits.join('\n')} ${decoderOf(model)} }`, 'decoder.ts', true);
  const { members } = parser.sources[0].statements[0];
  const ranges = new Map(fields.map(({ node: field }) => [field.name.text, field.range]));
  for (const member of members) {
    if (member.kind === NodeKind.FieldDeclaration) {
      const field = node.members.find(({ name }) => name.text === member.name.text);
      field.initializer = relocated(member.initializer, field.range);
      continue;
    }
    // What goes wrong in the decoder of a field is shown at the field.
    const { statements } = member.body;
    let range = node.name.range;
    for (const statement of statements) {
      range = ranges.get(fieldOf(statement)) ?? range;
      relocated(statement, range);
    }
    node.members.push(relocated(member, node.name.range, new Set(statements)));
  }
}

/** The field that `if (value !== null) { …; this.field = …; }` sets. */
function fieldOf(statement) {
  return statement.ifTrue?.statements?.at(-1)?.expression?.left?.property?.text;
}

/** Says of every node below that it stands at a place of the author's source. */
function relocated(node, range, done = new Set()) {
  if (typeof node !== 'object' || node === null || done.has(node)) return node;
  done.add(node);
  if (Array.isArray(node)) for (const item of node) relocated(item, range, done);
  else if ('kind' in node && 'range' in node) {
    node.range = range;
    for (const [key, value] of Object.entries(node)) if (key !== 'range') relocated(value, range, done);
  }
  return node;
}
