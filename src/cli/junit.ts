import { explanationText } from '../explain/explanation.ts';
import type { CaseResult } from '../rehearsal/policy-run.ts';

/** The results as JUnit XML, which CI systems read; one suite for each PolicyTest. */
export function junitText(results: readonly CaseResult[]): string {
  const suites = new Map<string, CaseResult[]>();
  for (const result of results) suites.set(result.test, [...(suites.get(result.test) ?? []), result]);
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>'];
  for (const [name, cases] of suites) {
    const failures = cases.filter(({ misses }) => misses.length > 0).length;
    lines.push(
      `  <testsuite name="${escape(name)}" tests="${cases.length}" failures="${failures}" time="${seconds(cases)}">`,
    );
    for (const each of cases) {
      const attributes = `classname="${escape(name)}" name="${escape(each.name)}" time="${seconds([each])}"`;
      if (each.misses.length === 0) lines.push(`    <testcase ${attributes}/>`);
      else {
        lines.push(`    <testcase ${attributes}>`);
        lines.push(
          `      <failure message="${escape(each.misses[0]!.replaceAll(/\n +/g, ', '))}">${escape(failureText(each))}</failure>`,
        );
        lines.push('    </testcase>');
      }
    }
    lines.push('  </testsuite>');
  }
  lines.push('</testsuites>');
  return `${lines.join('\n')}\n`;
}

function failureText({ place, misses, explanation }: CaseResult): string {
  const why = explanation === null ? '' : `\n\n${explanationText(explanation)}`;
  return `${[place, ...misses].join('\n')}${why}`;
}

function seconds(cases: readonly CaseResult[]): string {
  return (cases.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000).toFixed(3);
}

/** Characters that XML 1.0 forbids are left out. */
function escape(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  );
}
