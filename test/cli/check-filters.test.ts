// `weir check` starts the filters, each with its configuration, as the canary of `weir run` does.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { check, type CheckFormat } from '../../src/cli/check.ts';
import type { Diagnostic } from '../../src/control/diagnostic.ts';
import { CANARY } from '../support/canary.ts';
import { CHAIN } from '../support/edge.ts';
import { refusingFilter, trappingFilter } from '../support/scenario.ts';

const MODULE = `---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: own}
spec: {source: {file: own.wasm}}
`;

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-check-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  file = join(folder, 'edge.yaml');
});

async function checked(
  filters: string,
  output: CheckFormat,
  more: { offline?: boolean; strict?: boolean } = {},
) {
  await writeFile(file, `${CHAIN}  filters:\n${filters}`);
  return check([folder], { output, canary: CANARY, ...more });
}

async function found(filters: string): Promise<Diagnostic[]> {
  const { text, exitCode } = await checked(filters, 'json');
  const { version, errors, diagnostics } = JSON.parse(text) as {
    version: string | null;
    errors: number;
    diagnostics: Diagnostic[];
  };
  expect([exitCode, version, errors]).toEqual(
    diagnostics.length > 0 ? [1, null, diagnostics.length] : [0, expect.any(String), 0],
  );
  return diagnostics;
}

const TWO_FAULTY = `  - name: waf
    use: waf
    config:
      exclude: [{rules: [sql/tautologie]}]
      rules: [{name: own/a, pattern: "a("}]
  - {name: rate, use: rate-limit, config: {key: [{cel: "request.hea ders"}], limit: {requests: 1, per: 1s}}}
  - {name: fine, use: headers, config: {request: {set: {x-a: b}}}}
`;

test('every fault that filters find is told, each at the value that it is about', async () => {
  const diagnostics = await found(TWO_FAULTY);
  expect(diagnostics.map(({ code, line, column, length }) => [code, line, column, length])).toEqual([
    ['WEIR4002', 15, 26, 14],
    ['WEIR4002', 16, 38, 4],
    ['WEIR4002', 17, 56, 18],
  ]);
  expect(diagnostics.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^filter "waf": config\.exclude\[0\]\.rules\[0\]: no rule of this name/),
    expect.stringMatching(/^filter "waf": config\.rules\[0\]\.pattern: .*\(/),
    expect.stringMatching(/^filter "rate": config\.key\[0\]\.cel: /),
  ]);
});

test('the text shows the line, the caret and no summary that says ok', async () => {
  const { text, exitCode } = await checked(TWO_FAULTY, 'text');
  expect(exitCode).toBe(1);
  expect(text).toMatch(
    /edge\.yaml:15:26 {2}error WEIR4002 .*\n +15 \| +exclude: \[\{rules: \[sql\/tautologie\]\}\]\n +\| +\^{14}/,
  );
  expect(text).toMatch(/\n3 errors\.\n$/);
  expect(text).not.toContain('ok:');
});

test('SARIF has them with their places', async () => {
  const { text } = await checked(TWO_FAULTY, 'sarif');
  const { results } = (JSON.parse(text) as { runs: [{ results: SarifResult[] }] }).runs[0];
  expect(
    results.map(({ ruleId, locations }) => [ruleId, locations[0].physicalLocation.region.startLine]),
  ).toEqual([
    ['WEIR4002', 15],
    ['WEIR4002', 16],
    ['WEIR4002', 17],
  ]);
});

interface SarifResult {
  readonly ruleId: string;
  readonly locations: [{ readonly physicalLocation: { readonly region: { readonly startLine: number } } }];
}

/** Filter, configuration, what stands at the place of the fault, what is wrong with it, the nearest fix. */
const REFUSED: readonly [string, string, string, RegExp, string?][] = [
  [
    'waf',
    '{exclude: [{rules: [sql/unoin]}]}',
    'sql/unoin',
    /no rule of this name$/,
    'did you mean "sql/union"?',
  ],
  ['waf', '{rules: [{name: own/é, pattern: "a("}]}', '"a("', /\.pattern: a \( without a \)$/],
  ['cors', '{origins: ["*"], credentials: true}', 'origins', /"\*" cannot be combined with credentials/],
  ['security-headers', '{omit: [referrer-policy]}', 'omit', /there is none$/],
  [
    'cache-control',
    '{rules: [{cacheControl: {noStore: true, maxAge: 1m}}]}',
    'true',
    /what must not be stored/,
  ],
  ['hmac', '{keys: [{id: a, secret: short}]}', 'short', /at least 32 bytes$/],
  [
    'api-key',
    '{from: [{header: x-key}], keys: [{name: a, key: b}, {name: c, key: b}]}',
    '{name: c',
    /stands in the list/,
  ],
  [
    'mtls',
    '{identities: [{name: a, dns: a.test}, {name: b, dns: a.test}]}',
    '{name: b',
    /stands in the list/,
  ],
  [
    'webhook',
    '{scheme: plain, secrets: [xxxxxxxxxxxxxxxxxxxx], header: host}',
    'host',
    /that filters may change$/,
  ],
  ['access', '{policies: [{name: a, action: DENY, rules: [{when: [{expression: "a +"}]}]}]}', '"a +"', /CEL/],
  ['rate-limit', '{key: [source.address], limit: {requests: 1, per: 365d}}', '365d', /expected from 1 to/],
  ['rate-limit', '{key: [{cel: "1 +"}], limit: {requests: 1, per: 1s}}', '"1 +"', /not a CEL expression/],
  [
    'quota',
    '{key: [request.headers.authorization], quotas: [{name: a, limit: 1, window: day}]}',
    'request.h',
    /a credential/,
  ],
  [
    'headers',
    '{request: {set: {x-a: "${request.pth}"}}}',
    '"${request.pth}"',
    /unknown variable request\.pth/,
  ],
  ['transform', '{request: [{query: {set: {a: "${x"}}}]}', '"${x"', /expected } after \${/],
];

test('of every value that only its filter can judge, what is wrong is told at it', async () => {
  const chain = REFUSED.map(([use, config], i) => `  - {name: f${i}, use: ${use}, config: ${config}}\n`);
  const { text } = await checked(chain.join(''), 'json');
  const errors = (JSON.parse(text) as { diagnostics: Diagnostic[] }).diagnostics.filter(
    ({ severity }) => severity === 'error',
  );
  const told = errors.map(({ code, line, column, sourceLine, message, hint }) => ({
    code,
    filter: line - 12,
    message,
    hint,
    // Of filters that may hold secrets no line is shown.
    at: (sourceLine ?? chain[line - 12]!).slice(column - 1),
  }));
  expect(told).toEqual(
    REFUSED.map(([, , at, message, hint], i) => ({
      code: 'WEIR4002',
      filter: i,
      message: expect.stringMatching(message) as string,
      hint,
      at: expect.toSatisfy((text: string) => text.startsWith(at)) as string,
    })),
  );
});

test('an Upstream that the filter may not call is told, with what is to be added', async () => {
  const provider = (upstream: string) =>
    `{name: id, issuer: "https://id.test", jwks: {uri: "https://id.test/jwks", upstream: ${upstream}}}`;
  const filter = (upstream: string, more: string) =>
    `  - {name: who, use: jwt, config: {providers: [${provider(upstream)}]}${more}}\n`;
  const upstream = `---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: id}
spec: {endpoints: {static: [{address: 127.0.0.1, port: 1}]}}
`;
  const faultOf = async (name: string, more: string) => (await found(filter(name, more) + upstream))[0];
  expect(await faultOf('id', ', callouts: [{name: id}]')).toBeUndefined();
  expect(await faultOf('login', ', callouts: [{name: id, as: login}]')).toBeUndefined();
  expect(await faultOf('idd', ', callouts: [{name: id}]')).toMatchObject({
    code: 'WEIR1207',
    message:
      'filter "who": config.providers[0].jwks.upstream names "idd", which is none of the callouts of the filter',
    hint: 'did you mean "id"?',
  });
  const { text } = await checked(filter('id', ''), 'text');
  expect(text).toMatch(/WEIR1207.*\n.*\n.*\^\^ add callouts: \[\{name: id\}\] beside config/);
});

test('a module that says no in its own words is told at the configuration, with them', async () => {
  await writeFile(join(folder, 'own.wasm'), refusingFilter('level must be 1 to 5'));
  const [fault, ...others] = await found(
    `  - name: own\n    use: module/own\n    config: {level: 9}\n${MODULE}`,
  );
  expect(others).toEqual([]);
  expect(fault).toMatchObject({
    code: 'WEIR4002',
    line: 14,
    column: 5,
    sourceLine: '    config: {level: 9}',
  });
  expect(fault!.message).toBe(
    'default/chain#own: proxy_on_configure answered false; it logged last: level must be 1 to 5',
  );
  // It is in the message.
  expect(fault!.notes).toBeUndefined();
});

test('a module that traps while it starts is told at its filter', async () => {
  await writeFile(join(folder, 'own.wasm'), trappingFilter());
  const [fault, ...others] = await found(`  - {name: own, use: module/own}\n${MODULE}`);
  expect(others).toEqual([]);
  expect(fault).toMatchObject({ code: 'WEIR4002', line: 12, column: 5 });
  expect(fault!.message).toMatch(/^default\/chain#own: trap in proxy_on_configure: unreachable/);
});

test('a module that cannot be compiled is told where it is declared', async () => {
  await writeFile(join(folder, 'own.wasm'), refusingFilter('').subarray(0, 60));
  const [fault] = await found(`  - {name: own, use: module/own}\n${MODULE}`);
  expect(fault).toMatchObject({ code: 'WEIR4001', line: 14, column: 1 });
});

test('what a filter says of a Secret is not shown', async () => {
  await writeFile(join(folder, 'own.wasm'), refusingFilter('configuration 1:7: a: got sk-0123456789'));
  const secret =
    '---\napiVersion: v1\nkind: Secret\nmetadata: {name: provider}\nstringData: {key: sk-0123456789}\n';
  const filter = '  - {name: own, use: module/own, config: {a: {secretRef: {name: provider, key: key}}}}\n';
  const { text } = await checked(filter + MODULE + secret, 'json');
  expect(text).toMatch(/filter \\"own\\": config\.a: got \[redacted\]/);
  expect(text).not.toContain('sk-0123456789');
});

test('offline, what was left out is not started', async () => {
  const filters = `  - {name: own, use: module/own}
  - {name: waf, use: waf, config: {exclude: [{rules: [sql/tautologie]}]}}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: own}
spec: {source: {http: {url: "http://127.0.0.1:1/own.wasm"}}, sha256: ${'a'.repeat(64)}}
`;
  const { text } = await checked(filters, 'text', { offline: true });
  expect(text.match(/ error /g)).toHaveLength(1);
  expect(text).toContain('filter "waf": config.exclude[0].rules[0]');
});
