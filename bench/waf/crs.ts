/**
 * Measures the filter waf by the regression tests of the OWASP Core Rule Set. Prints a table by family. See README.md.
 *
 *     node --import tsx bench/waf/crs.ts PATH [--half a|b] [--level 1|2] [--show attacks|harmless] [--family 942]
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readTests, type CrsTest } from './crs-tests.ts';
import { judgeAll, type Verdict } from './subject.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    half: { type: 'string' },
    level: { type: 'string', default: '1' },
    show: { type: 'string' },
    family: { type: 'string', default: '' },
  },
});
const [checkout] = positionals;
if (checkout === undefined || !existsSync(join(checkout, 'tests/regression/tests'))) {
  process.stderr.write(
    'usage: node --import tsx bench/waf/crs.ts PATH, a checkout of github.com/coreruleset/coreruleset\n',
  );
  process.exit(2);
}

const isFirst = values.level === '1';
const tests = readTests(checkout).filter(
  (test) =>
    (test.level === 1) === isFirst &&
    (values.half === undefined || test.half === values.half) &&
    test.family.startsWith(values.family),
);
const verdicts = await judgeAll(
  tests.map(({ request }) => request),
  { body: { maxBytes: 1_048_576 }, paranoia: isFirst ? 1 : 2 },
);
const judged = tests.map((test, i) => ({ test, verdict: verdicts[i]! }));

for (const { test, verdict } of judged) if (isShown(test, verdict)) show(test, verdict);
const families = [...new Set(tests.map(({ family }) => family))];
console.log(
  '| family | attacks refused | of these before the filter | must not match this rule, yet refused |',
);
console.log('| --- | --- | --- | --- |');
for (const family of families) printRow(family, ({ test }) => test.family === family);
printRow('all', () => true);

function printRow(name: string, has: (one: (typeof judged)[number]) => boolean): void {
  const all = judged.filter(has);
  const attacks = all.filter(({ test }) => test.attack);
  const others = all.filter(({ test }) => !test.attack);
  const refused = (list: typeof judged): typeof judged =>
    list.filter(({ verdict }) => verdict.outcome !== 'passes');
  const found = refused(attacks);
  const rate = attacks.length === 0 ? '' : ` (${((100 * found.length) / attacks.length).toFixed(1)} %)`;
  const early = found.filter(({ verdict }) => verdict.outcome === 'weir').length;
  console.log(
    `| ${name} | ${found.length}/${attacks.length}${rate} | ${early} | ${refused(others).length}/${others.length} |`,
  );
}

function isShown({ attack }: CrsTest, { outcome }: Verdict): boolean {
  if (values.show === 'attacks') return attack && outcome === 'passes';
  return values.show === 'harmless' && !attack && outcome !== 'passes';
}

function show({ name, request }: CrsTest, { status, rules }: Verdict): void {
  console.log(`--- ${name}: ${status} ${rules}\n${request.toString('utf8').slice(0, 1500)}`);
}
