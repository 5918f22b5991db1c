import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { weirProgram } from '../../src/cli/program.ts';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { blocksOf, type DocBlock } from '../support/doc-blocks.ts';
import { ROOT } from '../support/process.ts';

const PAGES = [
  'README.md',
  'policies/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** What the examples refer to and do not show. */
const AROUND = [
  ['Gateway', 'edge', 'listeners: [{name: http, port: 8080, protocol: HTTP}]'],
  ...['orders', 'checkout', 'other'].map((name) => [
    'HTTPRoute',
    name,
    `parentRefs: [{name: edge}], hostnames: [${name}.example.com], rules: [{name: api, backendRefs: [{group: policy.weir, kind: Upstream, name: up}]}, {name: upload, matches: [{path: {value: /upload}}], backendRefs: [{group: policy.weir, kind: Upstream, name: up}]}]`,
  ]),
  ...['up', 'postgres', 'risk-service'].map((name) => [
    'Upstream',
    name,
    'endpoints: {static: [{address: 10.0.0.1, port: 9000}]}',
  ]),
  ['Plan', 'gold', 'quotas: [{name: calls, limit: 1}]'],
  ['Consumer', 'team', 'plan: gold, credentials: [{apiKey: {secretRef: {name: acme, key: key}}}]'],
  [
    'FilterChain',
    'around',
    'targetRefs: [{kind: HTTPRoute, name: other}], filters: [{name: found, use: api-key, config: {from: [{header: x-api-key}], consumerLabel: {}}}, {name: month, use: quota, config: {key: [consumer.name], plan: from-consumer, planLabel: {}}}]',
  ],
  [
    'FilterChain',
    'who',
    'targetRefs: [{kind: HTTPRoute, name: orders}], filters: [{name: found, use: api-key, config: {from: [{header: x-api-key}], consumerLabel: {}}}]',
  ],
  ['Store', 'limits', 'redis: {address: redis:6379}'],
  ['Module', 'audit', 'source: {file: audit.wasm}'],
  ['TrustedKey', 'release', 'publicKey: ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ='],
] as const;
const SECRETS = {
  acme: '{key: k1, old: k2, new: k3}',
  partner: '{shared: what-both-sides-know-and-nobody-else}',
  redis: '{password: p}',
  provider: '{key: k}',
  'registry-login': '{".dockerconfigjson": "{}"}',
};
const GATEWAY_KINDS = ['Gateway', 'HTTPRoute'];

/** Parts of objects, by the field that they begin with. */
const WRAPPERS: readonly (readonly [begins: RegExp, kind: string, before: string])[] = [
  [/^filters:/, 'FilterChain', 'targetRefs: [{kind: Gateway, name: edge}]\n'],
  [/^credentials:/, 'Consumer', ''],
  [
    /^config:/,
    'FilterChain',
    'targetRefs: [{kind: Gateway, name: edge}]\nfilters:\n- name: part\n  use: headers\n',
  ],
];

/** The module files of examples, and the registries that they name, are not there. */
const ELSEWHERE: ReadonlySet<string> = new Set(['WEIR1201', 'WEIR3021', 'WEIR1301']);

function whole({ code }: DocBlock): string {
  if (/^kind:/m.test(code)) return code;
  const indent = /^ */.exec(code)![0].length;
  const part = code.replaceAll(new RegExp(`^ {${indent}}`, 'gm'), '');
  if (part.startsWith('spec:'))
    return `apiVersion: policy.weir/v1alpha1\nkind: Module\nmetadata: {name: part}\n${part}`;
  const [, kind, before] = WRAPPERS.find(([begins]) => begins.test(part)) ?? [];
  if (kind === undefined || before === undefined) return part;
  const inner = (before + part.replaceAll(/^/gm, before.endsWith('headers\n') ? '  ' : '')).replaceAll(
    /^/gm,
    '  ',
  );
  return `apiVersion: policy.weir/v1alpha1\nkind: ${kind}\nmetadata: {name: part}\nspec:\n${inner}`;
}

/** The objects around an example, but those that it has itself. */
function around(code: string): string {
  const namespace = /namespace: (\w+)/.exec(code)?.[1] ?? 'default';
  const isThere = (kind: string, name: string): boolean =>
    new RegExp(`^kind: ${kind}\\nmetadata:\\s*\\{?\\s*name: ${name}\\b`, 'm').test(code);
  const objects = AROUND.filter(([kind, name]) => !isThere(kind!, name!)).map(
    ([kind, name, spec]) =>
      `apiVersion: ${GATEWAY_KINDS.includes(kind!) ? 'gateway.networking.k8s.io/v1' : 'policy.weir/v1alpha1'}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {${spec}}\n`,
  );
  const secrets = Object.entries(SECRETS).map(
    ([name, data]) =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: ${namespace}}\nstringData: ${data}\n`,
  );
  return [...objects, ...secrets].join('---\n');
}

const examples = PAGES.flatMap((page) =>
  blocksOf(page)
    .filter(({ language }) => language === 'yaml')
    .map((block) => [`${page}:${block.line}`, block] as const),
);

test('there are examples of configuration', () => {
  expect(examples.length).toBeGreaterThanOrEqual(20);
});

test.each(examples)('the configuration at %s has no fault', async (_place, block) => {
  const code = whole(block);
  const parsed = [parseText('example.yaml', code), parseText('around.yaml', around(code))];
  const { diagnostics } = await loadDocuments(
    parsed.flatMap(({ documents }) => documents),
    new FileReader(),
    {
      diagnostics: parsed.flatMap((each) => each.diagnostics),
      unread: parsed.flatMap(({ unread }) => unread),
    },
    { offline: true },
  );
  const faults = diagnostics.filter(({ code: of, file }) => file === 'example.yaml' && !ELSEWHERE.has(of));
  expect(faults.map(({ code: of, line, message }) => `${of} ${line}: ${message}`)).toEqual([]);
});

describe('command lines', () => {
  /** `weir …` at the beginning of an indented line, without what a comment or a column beside it says. */
  const LINE = /^ {2,4}(?:[\w./]*bin\/)?weir ((?:\S+ ?)+?)(?= {2,}| +#|$)/gm;
  const lines = PAGES.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(LINE)].map((match) => [page, match[1]!] as const),
  );

  /** As a shell splits it, as far as documents need that. */
  const words = (line: string): string[] =>
    [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, plain]) => one ?? two ?? plain!);

  test('are there', () => {
    expect(lines.length).toBeGreaterThanOrEqual(30);
  });

  test.each(lines)('%s: weir %s', async (_page, line) => {
    const args = words(line);
    let command: Command = await weirProgram(args);
    for (;;) {
      const next = command.commands.find((each) => each.name() === args[0]);
      if (next === undefined) break;
      command = next;
      args.shift();
    }
    const { operands, unknown } = command.exitOverride().parseOptions(args);
    expect(unknown).toEqual([]);
    const known = command.registeredArguments;
    expect(operands.length).toBeGreaterThanOrEqual(known.filter(({ required }) => required).length);
    if (known.every(({ variadic }) => !variadic)) expect(operands.length).toBeLessThanOrEqual(known.length);
  });
});
