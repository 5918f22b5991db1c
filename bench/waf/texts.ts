/**
 * Counts how many harmless texts the filter waf refuses: the paragraphs of files, each in a form. See README.md.
 *
 *     node --import tsx bench/waf/texts.ts FILE… [--level 1|2] [--every 10] [--show]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { judgeAll } from './subject.ts';
import { inForm } from './values.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
    show: { type: 'boolean', default: false },
  },
});
if (positionals.length === 0) {
  process.stderr.write(
    'usage: node --import tsx bench/waf/texts.ts FILE…, texts with an empty line or a % between paragraphs\n',
  );
  process.exit(2);
}

const texts = positionals
  .flatMap((file) => readFileSync(file, 'utf8').split(/\n%?\n/))
  .map((text) => text.trim().slice(0, 4000))
  .filter((text, i) => text.length > 3 && i % Number(values.every) === 0);
const verdicts = await judgeAll(texts.map(inForm), {
  body: { maxBytes: 1_048_576 },
  paranoia: Number(values.level),
});
const refused = verdicts.flatMap((one, i) => (one.outcome === 'passes' ? [] : [{ ...one, text: texts[i]! }]));
const byRule = new Map<string, number>();
for (const { rules, status } of refused)
  for (const rule of (rules || `status ${status}`).split(',')) byRule.set(rule, (byRule.get(rule) ?? 0) + 1);
if (values.show) for (const { rules, text } of refused) console.log(`--- ${rules}\n${text}`);
console.log(
  `refused ${refused.length} of ${texts.length} (${((100 * refused.length) / texts.length).toFixed(2)} %)`,
);
for (const [rule, count] of [...byRule].sort(([, a], [, b]) => b - a))
  console.log(`${String(count).padStart(6)} ${rule}`);
