// The decoder of a configuration class: a method of it, in AssemblyScript. It names nothing but its reader
// `c` (`ConfigReader` in assembly/configuration.ts), so that it needs no imports in the author's file.

/** @returns {string} the method, for a class of the model */
export function decoderOf(model) {
  let temporaries = 0;
  const fresh = (name) => `${name}${++temporaries}`;

  /** Statements that read the value `v` of a shape, and the expression that it is then. */
  const read = (shape, v) => {
    const { type, least, most } = shape;
    switch (shape.kind) {
      case 'boolean':
        return ['', `c.asBoolean(${v})`];
      case 'integer':
        return ['', `<${type}>c.asWhole(${v}, ${least}, ${most})`];
      case 'number':
        return [
          '',
          `<${type}>c.asNumber(${v}, ${float(least)}, ${float(most)}, ${JSON.stringify(spanOf(shape))})`,
        ];
      case 'duration':
        return ['', `<${type}>c.asDuration(${v}, ${least}, ${most})`];
      case 'size':
        return ['', `<${type}>c.asSize(${v}, ${least}, ${most})`];
      case 'json':
        return ['', v];
      case 'listed': {
        const { values } = shape;
        return ['', `<${type}>c.asListed(${v}, memory.data<i64>([${values.join()}]), ${values.length})`];
      }
      case 'choice': {
        const choice = `c.asChoice(${v}, ${JSON.stringify(shape.values)})`;
        if (type !== 'string' && type !== 'ArrayBuffer') return ['', `<${type}>${choice}`];
        return [`${choice};`, text(type, v, 0, MOST)];
      }
      case 'text':
        return [check('checkPattern', v, shape.pattern), text(type, v, least, most)];
      case 'list': {
        const [items, list, i, item] = ['items', 'list', 'i', 'item'].map(fresh);
        const [before, value] = read(shape.of, item);
        return [
          `const ${list} = new Array<${shape.typeText}>();
          const ${items} = c.asItems(${v}, ${least}, ${most});
          for (let ${i} = 0; ${i} < ${items}.length; ${i}++) {
            const ${item} = ${items}[${i}];
            ${before}
            ${list}.push(${value});
          }`,
          list,
        ];
      }
      case 'map': {
        const [items, map, i, item] = ['items', 'map', 'i', 'item'].map(fresh);
        const [before, value] = read(shape.of, item);
        return [
          `const ${map} = new Map<string, ${shape.typeText}>();
          const ${items} = c.asMembers(${v}, ${least}, ${most});
          for (let ${i} = 0; ${i} < ${items}.length; ${i}++) {
            const ${item} = ${items}[${i}];
            ${check('checkName', item, shape.pattern)}
            ${before}
            ${map}.set(c.nameOf(${item}), ${value});
          }`,
          map,
        ];
      }
      default: {
        const [object, reader] = ['object', 'reader'].map(fresh);
        return [
          `const ${object} = new ${shape.of.name}();
          const ${reader} = c.asObject(${v});
          if (${reader} !== null) ${object}.__read<C>(${reader});`,
          object,
        ];
      }
    }
  };

  const fields = model.fields.map((field) => {
    const v = fresh('value');
    const [before, value] = read(field.shape, v);
    return {
      field,
      text: `const ${v} = c.${field.required ? 'required' : 'member'}(${JSON.stringify(field.name)});
        if (${v} !== null) { ${before} this.${field.property} = ${value}; }`,
    };
  });
  const needs = model.fields
    .filter((field) => field.needs !== null)
    .map((field) => `c.checkNeeds(${JSON.stringify(field.name)}, ${JSON.stringify(field.needs)});`);
  const one =
    model.exactlyOneOf.length === 0 ? '' : `c.checkExactlyOne(${JSON.stringify(model.exactlyOneOf)});`;
  return `__read<C>(c: C): void {
    ${fields.map(({ text }) => text).join('\n')}
    ${needs.join('\n')}
    ${one}
    ${model.checks ? 'if (c.sound()) this.check(c);' : ''}
  }`;
}

const MOST = 2 ** 31 - 1;

function text(type, v, least, most) {
  return `c.${type === 'string' ? 'asText' : 'asBytes'}(${v}, ${least}, ${most})`;
}

function check(method, v, pattern) {
  if (pattern === null) return '';
  return `c.${method}(${v}, memory.data<u8>([${pattern.table.join()}]), ${JSON.stringify(pattern.text)});`;
}

function float(value) {
  const written = String(value);
  return /[.e]/.test(written) ? written : `${written}.0`;
}

/** Of a number without bounds of its own nothing is said. */
function spanOf({ least, most }) {
  return Math.abs(most) > 1e30 && Math.abs(least) > 1e30 ? '' : ` from ${least} to ${most}`;
}

/** What a required field holds until it is read. */
export function emptyOf(shape) {
  switch (shape.kind) {
    case 'boolean':
      return 'false';
    case 'text':
    case 'choice':
      if (shape.type === 'string') return "''";
      return shape.type === 'ArrayBuffer' ? 'new ArrayBuffer(0)' : `<${shape.type}>0`;
    case 'list':
      return `new Array<${shape.typeText}>()`;
    case 'map':
      return `new Map<string, ${shape.typeText}>()`;
    case 'json':
      return 'new JsonValue(0, 0, null)';
    case 'part':
      return `new ${shape.of.name}()`;
    default:
      return '0';
  }
}
