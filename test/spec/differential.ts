import { readShape } from '../../src/runtime/wasm/binary.ts';
import { BinaryError } from '../../src/runtime/wasm/cursor.ts';
import { rewriteNow } from '../../src/runtime/wasm/meter/rewrite.ts';
import { wat } from '../support/wat.ts';
import { bitsOf, World, type Outcome } from './world.ts';
import { head, readScript, tail, type Atom, type List, type Node } from './script.ts';

const NEWER = Number(process.versions.node.split('.')[0]) > 20;

/** What a script came to. */
export interface Report {
  /** Commands whose outcome was compared. */
  compared: number;
  /** Of these, assertions whose values were compared with the script's as well. */
  asserted: number;
  /** Modules that this engine, or the reader of the text form, does not take; nothing of theirs was run. */
  refused: number;
  readonly differences: string[];
}

/** Runs a script of the test suite twice, with and without the meter, and compares each outcome. */
export function runScript(source: string): Report {
  const plain = new World(false);
  const metered = new World(true);
  const report: Report = { compared: 0, asserted: 0, refused: 0, differences: [] };
  // After a module that is not run, what belongs to it is passed over.
  let skipping = false;

  const compare = (what: string, run: (world: World) => Outcome): Outcome => {
    const [expected, found] = [run(plain), run(metered)];
    report.compared++;
    if (expected !== found)
      report.differences.push(`${what.slice(0, 300)}\n  without: ${expected}\n  with:    ${found}`);
    return expected;
  };

  for (const command of readScript(source)) {
    const words = tail(command);
    switch (head(command)) {
      case 'module': {
        if (moduleForm(command) === 'definition' || moduleForm(command) === 'instance') {
          skipping = true;
          report.refused++;
          break;
        }
        const bytes = moduleBytes(command);
        skipping = bytes === null || !runs(bytes);
        if (skipping) report.refused++;
        else compare(command.text, (world) => attempt(() => world.define(nameOf(command), bytes!)));
        break;
      }
      case 'register':
        if (!skipping)
          compare(command.text, (world) =>
            attempt(() =>
              world.register(
                (words[0] as Atom).bytes!.toString(),
                (words[1] as Atom | undefined)?.text ?? '',
              ),
            ),
          );
        break;
      case 'invoke':
      case 'get':
        if (!skipping) compare(command.text, (world) => world.act(command));
        break;
      case 'assert_return': {
        if (skipping) break;
        const outcome = compare(command.text, (world) => world.act(words[0] as List));
        const bits = wanted(words.slice(1));
        if (bits === null) break;
        report.asserted++;
        if (bits !== outcome) report.differences.push(`${command.text.slice(0, 300)}\n  is not: ${outcome}`);
        break;
      }
      case 'assert_trap':
      case 'assert_exhaustion':
      case 'assert_exception':
        if (head(words[0]) === 'module') {
          const bytes = moduleBytes(words[0] as List);
          if (bytes !== null && runs(bytes))
            compare(command.text, (world) => attempt(() => world.define('', bytes)));
        } else if (!skipping) {
          const outcome = compare(command.text, (world) => world.act(words[0] as List));
          if (!/Error|Exception/.test(outcome))
            report.differences.push(`${command.text.slice(0, 300)}\n  did not trap`);
        }
        break;
      case 'assert_invalid':
      case 'assert_malformed':
      case 'assert_unlinkable': {
        const bytes = moduleBytes(words[0] as List);
        // What the engine refuses has to be refused with the meter in it, too.
        if (bytes !== null) compare(command.text, (world) => kindOf(attempt(() => world.define('', bytes))));
        break;
      }
    }
  }
  compare('the state at the end', (world) => world.state().join('\n'));
  return report;
}

function wanted(constants: readonly Node[]): Outcome | null {
  try {
    return bitsOf(constants);
  } catch {
    return null;
  }
}

function attempt(job: () => void): Outcome {
  try {
    job();
    return 'done';
  } catch (error) {
    // The text of what the engine says of a module has offsets in it.
    const { name, message } = error as Error;
    return name === 'RuntimeError' ? `${name}: ${message}` : name;
  }
}

/** Whatever refuses a module, the pass or the engine. */
function kindOf(outcome: Outcome): Outcome {
  return outcome === 'done' ? outcome : 'refused';
}

function nameOf(module: List): string {
  const name = module.items[1];
  return name?.kind === 'atom' && name.text.startsWith('$') ? name.text : '';
}

function moduleForm(module: List): string {
  const form = module.items[nameOf(module) === '' ? 1 : 2];
  return form?.kind === 'atom' ? form.text : '';
}

/**
 * Whether the engine takes it, and weir does: its limits for parts of a module, such as 1000 locals, and
 * what engines newer than that of Node 20 have beyond it.
 */
function runs(bytes: Uint8Array): boolean {
  if (!WebAssembly.validate(bytes)) return false;
  try {
    const shape = readShape(bytes);
    if (NEWER) rewriteNow(bytes, shape, { memoryBytes: 2 ** 32 });
    return true;
  } catch (error) {
    if (error instanceof BinaryError) return false;
    throw error;
  }
}

/** Null: the reader of the text form does not take it. */
function moduleBytes(module: List): Uint8Array | null {
  const form = moduleForm(module);
  const strings = (): Buffer =>
    Buffer.concat(module.items.map((item) => (item.kind === 'atom' ? item.bytes : null) ?? Buffer.alloc(0)));
  try {
    if (form === 'binary') return Uint8Array.from(strings());
    const text = form === 'quote' ? strings().toString('utf8') : module.text;
    return wat(form === 'quote' && !/^\s*\(module/.test(text) ? `(module ${text})` : text);
  } catch {
    return null;
  }
}
