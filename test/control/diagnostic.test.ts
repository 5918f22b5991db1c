import { expect, test } from 'vitest';
import { ERRORS, explainError } from '../../src/errors.ts';
import {
  formatDiagnostics,
  sortDiagnostics,
  toSarif,
  type Diagnostic,
} from '../../src/control/diagnostic.ts';

const fault: Diagnostic = {
  code: 'WEIR1042',
  severity: 'error',
  file: 'policies/chain.yaml',
  line: 31,
  column: 7,
  length: 5,
  message: 'unknown field "confg" in filter "rps"',
  hint: 'did you mean "config"?',
  sourceLine: '      confg: {key: [consumer.name]}',
};

test('an error reads as place, code, message, line, caret and nearest fix', () => {
  expect(formatDiagnostics([fault])).toBe(
    [
      'policies/chain.yaml:31:7  error WEIR1042  unknown field "confg" in filter "rps"',
      '   31 |       confg: {key: [consumer.name]}',
      '      |       ^^^^^ did you mean "config"?',
      '',
      '1 error. Nothing was applied.',
      '',
    ].join('\n'),
  );
});

test('the summary says what keeps serving', () => {
  const warning: Diagnostic = { ...fault, severity: 'warning' };
  const text = formatDiagnostics([fault, fault, warning], {
    consequence: 'snapshot 41a7c0 (2 h old) keeps serving',
  });
  expect(text.trimEnd().split('\n').at(-1)).toBe(
    '2 errors, 1 warning. Nothing was applied; snapshot 41a7c0 (2 h old) keeps serving.',
  );
  expect(formatDiagnostics([warning])).toMatch(/\n1 warning\.\n$/);
  expect(formatDiagnostics([])).toBe('');
});

test('both places of a conflict are named', () => {
  const related = [{ file: 'b.yaml', line: 6, column: 3 }];
  expect(formatDiagnostics([{ ...fault, related }])).toContain(
    'policies/chain.yaml:31:7 and b.yaml:6:3  error',
  );
});

test('control characters of a file do not reach the terminal', () => {
  const text = formatDiagnostics([{ ...fault, sourceLine: '\u001b[2Jconfg:\u202e x' }]);
  for (const hidden of ['\u001b', '\u202e']) expect(text).not.toContain(hidden);
});

test('a long line is cut around the place', () => {
  const sourceLine = `${'x'.repeat(500)}confg${'y'.repeat(500)}`;
  const lines = formatDiagnostics([{ ...fault, column: 501, sourceLine }]).split('\n');
  const at = lines[2]!.indexOf('^');
  expect(lines[1]!.slice(at, at + 5)).toBe('confg');
  expect(lines[1]!.length).toBeLessThan(140);
});

test('diagnostics come in the order of the files', () => {
  const other = { ...fault, file: 'a.yaml' };
  const later = { ...fault, line: 40 };
  expect(sortDiagnostics([later, fault, other])).toEqual([other, fault, later]);
});

test('SARIF names rule, level, file and region', () => {
  const sarif = toSarif([{ ...fault, file: 'a b/c.yaml' }], '1.2.3') as {
    runs: [{ tool: { driver: { rules: { id: string }[] } }; results: object[] }];
  };
  expect(sarif.runs[0].tool.driver.rules.map((rule) => rule.id)).toEqual(['WEIR1042']);
  expect(sarif.runs[0].results).toEqual([
    {
      ruleId: 'WEIR1042',
      level: 'error',
      message: { text: 'unknown field "confg" in filter "rps"; did you mean "config"?' },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'a%20b/c.yaml' },
            region: { startLine: 31, startColumn: 7, endColumn: 12 },
          },
        },
      ],
    },
  ]);
});

test('each code explains itself', () => {
  expect(explainError('weir1042')).toContain('What to do:');
  expect(explainError('WEIR9999')).toBeNull();
  for (const [code, entry] of Object.entries(ERRORS)) {
    expect(entry.title, code).not.toMatch(/^[A-Z][a-z]|\.$/);
    expect(entry.explanation, code).toMatch(/\.$/);
  }
});
