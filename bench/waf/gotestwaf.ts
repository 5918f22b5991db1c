/**
 * Measures the filter waf by the payloads of GoTestWAF, each in a query, a form and JSON. Prints a table by file. See README.md.
 *
 *     node --import tsx bench/waf/gotestwaf.ts PATH [--level 1|2] [--show owasp/sql-injection]
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDocument } from 'yaml';
import { judgeAll } from './subject.ts';
import { inForm, inJson, inQuery } from './values.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { level: { type: 'string', default: '1' }, show: { type: 'string' } },
});
const root = join(positionals[0] ?? '', 'testcases');
if (positionals.length !== 1 || !existsSync(root)) {
  process.stderr.write(
    'usage: node --import tsx bench/waf/gotestwaf.ts PATH, a checkout of github.com/wallarm/gotestwaf\n',
  );
  process.exit(2);
}

interface File {
  readonly payload: readonly string[];
  readonly placeholder: readonly unknown[];
}

const PLACES = ['URLParam', 'HTMLForm', 'HTMLMultipartForm', 'JSONRequest'];
const files = new Map<string, string[]>();
for (const folder of ['owasp', 'community', 'owasp-api', 'false-pos'])
  for (const name of readdirSync(join(root, folder))) {
    // Some have escapes that YAML does not know, which its own reader takes.
    const text = readFileSync(join(root, folder, name), 'utf8');
    const { payload, placeholder } = parseDocument(text).toJS() as File;
    // Where else a payload belongs it is part of a protocol of its own, such as gRPC.
    if (placeholder.some((place) => PLACES.includes(place as string)))
      files.set(`${folder}/${name.replace('.yml', '')}`, payload.map(String));
  }

const all = [...files].flatMap(([file, payloads]) => payloads.map((payload) => ({ file, payload })));
const requests = all.flatMap(({ payload }) => [inQuery(payload), inForm(payload), inJson(payload)]);
const verdicts = await judgeAll(requests, { body: { maxBytes: 1_048_576 }, paranoia: Number(values.level) });
console.log('| file | refused | ');
console.log('| --- | --- |');
for (const [file, payloads] of files) {
  const refused = verdicts.filter(
    (one, i) => all[Math.floor(i / 3)]!.file === file && one.outcome !== 'passes',
  );
  const rate = ((100 * refused.length) / (3 * payloads.length)).toFixed(1);
  console.log(`| ${file} | ${refused.length}/${3 * payloads.length} (${rate} %) |`);
}
const wantsRefusal = (file: string): boolean => !file.startsWith('false-pos');
for (const [i, { outcome, rules }] of verdicts.entries()) {
  const { file, payload } = all[Math.floor(i / 3)]!;
  if (file === values.show && (outcome === 'passes') === wantsRefusal(file))
    console.log(`--- ${outcome} ${rules}: ${payload.slice(0, 300)}`);
}
