// A step of the AssemblyScript compiler that writes into the module what it was made from and with what: the
// `producers` section of WebAssembly's tool conventions, and `weir.build`. No time, no machine, no user: the
// same sources make the same bytes anywhere.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { unsigned } from './sections.mjs';

const SDK = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const COMPILER = createRequire(import.meta.url)('assemblyscript/package.json');
/** The compiler's number for the file that was given to it. */
const USER_ENTRY = 1;

/** On a parser whose module gets its sections: an asconfig.json may name this step a second time. */
const DONE = Symbol.for('@weir/filters-sdk/provenance');

export default class Provenance {
  afterParse(parser) {
    this.again = parser[DONE] === true;
    parser[DONE] = true;
    const sources = parser.sources
      .map(({ normalizedPath, text, sourceKind }) => ({ path: normalizedPath, text, sourceKind }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    const digest = createHash('sha256');
    for (const { path, text } of sources) digest.update(`${path}\0`).update(text).update('\0');
    this.sources = `sha256:${digest.digest('hex')}`;
    this.entry = sources.find(({ sourceKind }) => sourceKind === USER_ENTRY)?.path ?? '';
  }

  afterCompile(module) {
    if (this.again) return;
    const { optimizeLevelHint, shrinkLevelHint } = this.program.options;
    const build = {
      entry: this.entry,
      sources: this.sources,
      sdk: SDK.version,
      builder: `asc ${COMPILER.version}`,
      mode: optimizeLevelHint === 0 && shrinkLevelHint === 0 ? 'debug' : 'release',
    };
    module.addCustomSection('weir.build', Buffer.from(JSON.stringify(build)));
    module.addCustomSection(
      'producers',
      producers({
        language: [['AssemblyScript', COMPILER.version]],
        'processed-by': [['asc', COMPILER.version]],
        sdk: [[SDK.name, SDK.version]],
      }),
    );
  }
}

/** A vector of fields, each a name and a vector of pairs of names. */
function producers(fields) {
  return vector(Object.entries(fields), ([field, values]) =>
    Buffer.concat([
      name(field),
      vector(values, ([value, version]) => Buffer.concat([name(value), name(version)])),
    ]),
  );
}

function vector(items, encode) {
  return Buffer.concat([unsigned(items.length), ...items.map(encode)]);
}

function name(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([unsigned(bytes.length), bytes]);
}
