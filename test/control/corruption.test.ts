import fc from 'fast-check';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compileSnapshot } from '../../src/control/compile.ts';
import { Config } from '../../src/control/config.ts';
import { formatDiagnostics, type Diagnostic } from '../../src/control/diagnostic.ts';
import { ConfigDocument } from '../../src/control/document.ts';
import { parseText } from '../../src/control/parse.ts';
import { KINDS } from '../../src/control/schema/kind.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';

const folder = fileURLToPath(new URL('../golden/', import.meta.url));
const names = (await readdir(folder)).filter((file) => file.endsWith('.in.yaml'));
const texts = await Promise.all(names.map((name) => readFile(`${folder}${name}`, 'utf8')));

const NO_ASSETS = {
  modules: new Map(),
  schemas: new Map(),
  builtins: new Map(),
  protocols: new Map(),
  certificates: new Map(),
  authorities: new Map(),
  apis: new Map(),
  secretMembers: new Map(),
};

function compile(
  documents: readonly ConfigDocument[],
  before: readonly Diagnostic[],
): [Snapshot, Diagnostic[]] {
  const config = new Config(documents);
  const snapshot = compileSnapshot(config, NO_ASSETS);
  return [snapshot, [...before, ...config.diagnostics]];
}

function run(text: string): [Snapshot, Diagnostic[]] {
  const { documents, diagnostics } = parseText('x.yaml', text);
  return compile(documents, diagnostics);
}

/** Every diagnostic must be printable, and point into the text. */
function checkPlaces(text: string, diagnostics: readonly Diagnostic[]): void {
  const lines = text.split('\n');
  for (const diagnostic of diagnostics) {
    expect(diagnostic.line).toBeLessThanOrEqual(lines.length);
    expect(diagnostic.column).toBeGreaterThanOrEqual(1);
    expect(diagnostic.length).toBeGreaterThanOrEqual(1);
    expect(diagnostic.message).not.toBe('');
  }
  formatDiagnostics(diagnostics);
}

const splice = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(30),
  insert: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '\t',
      ':',
      '-',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!',
      '%',
      '---\n',
      ': ',
      'null',
      '1',
      'true',
    ),
    fc.string({ maxLength: 8 }),
  ),
});

describe('a corrupted file', () => {
  test('yields diagnostics and never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.array(splice, { minLength: 1, maxLength: 4 }),
        (original, splices) => {
          let text = original;
          for (const { at, remove, insert } of splices) {
            const start = Math.floor(at * text.length);
            text = text.slice(0, start) + insert + text.slice(start + remove);
          }
          checkPlaces(text, run(text)[1]);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('of any characters yields diagnostics and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => checkPlaces(text, run(text)[1])),
      { numRuns: 500 },
    );
  });
});

describe('an object of any shape', () => {
  const key = fc.constantFrom(
    'spec',
    'metadata',
    'name',
    'rules',
    'listeners',
    'filters',
    'targetRefs',
    '__proto__',
    'constructor',
    'toString',
    'x',
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, '', 'a', 0, -1, 1.5, 1e300, true),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));

  test('yields diagnostics and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(KINDS)), tree, tree, (kind, metadata, spec) => {
        const versions = [
          'v1',
          'policy.weir/v1alpha1',
          'gateway.networking.k8s.io/v1',
          'discovery.k8s.io/v1',
        ];
        const documents = versions.map((apiVersion) =>
          ConfigDocument.made('made', { apiVersion, kind, metadata, spec }),
        );
        formatDiagnostics(compile(documents, [])[1]);
      }),
      { numRuns: 500 },
    );
  });

  test('in place of any part of a good one yields diagnostics and never throws', { timeout: 120_000 }, () => {
    const objects = texts.flatMap((text) =>
      parseText('x', text).documents.map((document) => document.value as object),
    );
    const all = objects.map((object) => ConfigDocument.made('made', object));
    fc.assert(
      fc.property(
        fc.nat(objects.length - 1),
        fc.array(fc.nat(20), { maxLength: 8 }),
        tree,
        (index, steps, value) => {
          const copy = structuredClone(objects[index]!) as Record<string, unknown>;
          replaceAt(copy, steps, value);
          const documents = all.map((document, i) =>
            i === index ? ConfigDocument.made('made', copy) : document,
          );
          formatDiagnostics(compile(documents, [])[1]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** Goes down by the steps, each modulo what there is, and puts the value in the last place. */
function replaceAt(root: Record<string, unknown>, steps: readonly number[], value: unknown): void {
  let parent = root;
  for (const [i, step] of steps.entries()) {
    const keys = Object.keys(parent);
    if (keys.length === 0) return;
    const key = keys[step % keys.length]!;
    const child = parent[key];
    if (i < steps.length - 1 && typeof child === 'object' && child !== null)
      parent = child as Record<string, unknown>;
    else {
      parent[key] = value;
      return;
    }
  }
}

test('the order of documents changes neither the snapshot nor what is found', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...texts.filter((_, i) => !names[i]!.startsWith('faults'))),
      fc.infiniteStream(fc.nat()),
      (text, order) => {
        const documents = text.split(/^---$/m);
        const keyed = documents.map((document) => ({ document, key: order.next().value as number }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ document }) => document);
        const [first] = run(text);
        const [second, diagnostics] = run(shuffled.join('\n---\n'));
        expect(second.version).toBe(first.version);
        expect(diagnostics.map((diagnostic) => diagnostic.code).sort()).toEqual(
          run(text)[1]
            .map((diagnostic) => diagnostic.code)
            .sort(),
        );
      },
    ),
    { numRuns: 30 },
  );
});
