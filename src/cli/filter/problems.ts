import type { Problem, Place } from '../../../filters-sdk/cli/compile.d.mts';
import type { Colors } from '../output.ts';

/**
 * What is wrong with a filter, one block each: place, message, the line with a caret under it, what to do.
 *
 * @param problems as `compileFilter` reports them
 */
export function formatProblems(problems: readonly Problem[], colors: Colors): string {
  return problems.map((problem) => formatProblem(problem, colors)).join('\n');
}

function formatProblem(problem: Problem, colors: Colors): string {
  const { severity, code, message, hint, place, related } = problem;
  const paint = severity === 'error' ? colors.red : severity === 'warning' ? colors.yellow : colors.cyan;
  const where = place === null ? '' : `${colors.bold(at(place))}: `;
  const lines = [`${where}${paint(severity)}${code === '' ? '' : colors.dim(` ${code}`)}: ${message}`];
  if (place !== null) lines.push(...frame(place, paint, colors));
  if (related !== null)
    lines.push(`${colors.bold(at(related))}: the other place`, ...frame(related, paint, colors));
  if (hint !== '') lines.push(`${colors.cyan('hint')}: ${hint}`);
  return `${lines.join('\n')}\n`;
}

function at({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

function frame(
  { line, column, length, text }: Place,
  paint: (text: string) => string,
  colors: Colors,
): string[] {
  const number = String(line).padStart(5);
  // Tabs before the caret as they are before the text, so that both have the same width.
  const before = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  return [
    `${colors.dim(`${number} │`)} ${text}`,
    `${colors.dim(`${' '.repeat(number.length)} │`)} ${before}${paint('^'.repeat(length))}`,
  ];
}
