import { bytesText, type Colors } from '../output.ts';
import type { ModuleReport, SignatureReport } from './module-report.ts';
import { schemaRows } from './schema-rows.ts';

/** Functions of the ABI that are listed of a capability. */
const LISTED = 4;

/** A report as people read it. */
export function inspectText(
  name: string,
  report: ModuleReport,
  signature: SignatureReport,
  colors: Colors,
): string {
  const { bold, dim, green, red, yellow } = colors;
  const lines = [`${bold(name)}  ${bytesText(report.bytes)}  ${dim(`sha256 ${report.sha256}`)}`];
  const row = (title: string, text: string): void => void lines.push(`  ${dim(title.padEnd(13))} ${text}`);
  const rest = (text: string): void => row('', text);

  if (report.refused === null) row('verdict', `${green('loads here')}: ${whatOf(report)}`);
  else row('verdict', `${red('would not load')}: ${report.refused}`);
  // Of what is no module there is nothing more to say.
  if (report.sections.length === 0) return `${lines.join('\n')}\n`;
  for (const warning of report.warnings) row('', `${yellow('warning')}: ${warning}`);
  row('signature', signatureText(signature));
  row('built with', builtText(report));
  if (report.build !== null) rest(buildText(report.build));
  if (report.memory !== null) row('memory', memoryText(report.memory));
  if (report.metering !== null)
    row(
      'metering',
      `adds ${bytesText(report.metering.bytes)} (${percent(report.metering.share)}) when it is loaded`,
    );
  row('debugging', debuggingText(report));
  if (report.callbacks.length > 0)
    row('callbacks', wrapped(report.callbacks.map((each) => each.replace(/^proxy_/, ''))));
  capabilityLines(report, colors).forEach((text, i) => row(i === 0 ? 'capabilities' : '', text));
  if (report.foreignFunctions.length > 0)
    row('foreign', `${report.foreignFunctions.join(', ')} ${dim('(names that stand in its data)')}`);
  const unknown = report.imports
    .filter(({ isLinked }) => !isLinked)
    .map((each) => `${each.module}.${each.name} ${each.signature}`);
  unknown.forEach((text, i) => row(i === 0 ? 'not linked' : '', yellow(text)));

  const phase = (report.schema as { 'x-weir-phase'?: unknown } | null)?.['x-weir-phase'];
  if (typeof phase === 'string') row('phase', phase);
  lines.push(`  ${dim('sections')}`, ...sectionLines(report, colors));
  const fields = schemaRows(report.schema);
  if (fields.length > 0)
    lines.push(
      `  ${dim('configuration')}`,
      ...table(
        fields.map(({ path, type, presence, description }) => [path, type, presence, description]),
        colors,
      ),
    );
  else if (report.schema === null && report.refused === null)
    row('configuration', dim('it says nothing about it (no section weir.schema)'));
  return `${lines.join('\n')}\n`;
}

function whatOf({ abi, protocols }: ModuleReport): string {
  const kinds = protocols.map((name) => name.toUpperCase()).join(' and ');
  return `Proxy-Wasm ${abi}, ${kinds === '' ? 'no callback of a stream' : `for ${kinds}`}`;
}

function signatureText({ place, count, reason }: SignatureReport): string {
  if (count === 0) return `none (${place} ${reason})`;
  return `${count} in ${place}; weir filter verify says by whom`;
}

function builtText({ producers }: ModuleReport): string {
  const tools = Object.values(producers)
    .flat()
    .map(({ name, version }) => (version === '' ? name : `${name} ${version}`));
  return tools.length === 0 ? 'it does not say (no section producers)' : [...new Set(tools)].join(', ');
}

function buildText(build: Readonly<Record<string, unknown>>): string {
  const { entry, mode, sources } = build as { entry?: string; mode?: string; sources?: string };
  return `${mode ?? 'build'} of ${entry ?? '?'}, sources ${sources?.slice(0, 'sha256:'.length + 12) ?? '?'}`;
}

function memoryText({ min, max, limit }: NonNullable<ModuleReport['memory']>): string {
  const declared = max === null ? '' : `, at most ${mebibytes(max)} by its own word`;
  return `starts with ${mebibytes(min)}${declared}; limits.memory is ${mebibytes(limit)} where a Module says no other`;
}

function debuggingText({ debugging: { names, lines, sourceMap } }: ModuleReport): string {
  if (lines) return 'traps name functions and lines (DWARF in the module)';
  if (sourceMap !== null) return `traps name lines where its source map lies beside it (${sourceMap})`;
  return names
    ? 'traps name functions'
    : 'traps name numbers of functions alone: build it with names, or with a source map';
}

function capabilityLines({ capabilities, imports }: ModuleReport, { dim }: Colors): string[] {
  const { needed, perhaps, declared } = capabilities;
  const line = (name: string, note: string): string => {
    const functions = imports
      .filter(({ capability }) => capability === name)
      .map((each) => each.name.replace(/^proxy_/, ''));
    const more = functions.length > LISTED ? `, and ${functions.length - LISTED} more` : '';
    return `${name.padEnd(12)} ${dim(`${functions.slice(0, LISTED).join(', ')}${more}${note}`)}`;
  };
  const lines = [
    ...needed.map((name) => line(name, '')),
    ...perhaps.map((name) => line(name, ' (not for its configuration and answers of callouts)')),
  ];
  if (declared !== null) lines.push(`declared: ${declared.join(', ') || 'none'}`);
  return lines.length === 0 ? ['none'] : lines;
}

function sectionLines({ sections }: ModuleReport, colors: Colors): string[] {
  const merged = new Map<string, { bytes: number; share: number }>();
  for (const { name, bytes, share } of sections) {
    const before = merged.get(name) ?? { bytes: 0, share: 0 };
    merged.set(name, { bytes: before.bytes + bytes, share: before.share + share });
  }
  const sorted = [...merged].sort(([, a], [, b]) => b.bytes - a.bytes);
  const width = Math.max(...sorted.map(([name]) => name.length));
  return sorted.map(([name, { bytes, share }]) => {
    const bar = '▇'.repeat(Math.round(share * 24));
    return `    ${name.padEnd(width)}  ${bytesText(bytes).padStart(9)}  ${percent(share).padStart(5)}  ${colors.cyan(bar)}`.trimEnd();
  });
}

function table(rows: readonly (readonly string[])[], { bold, dim }: Colors): string[] {
  const width = (column: number): number => Math.max(...rows.map((cells) => cells[column]!.length));
  const [first, second, third] = [width(0), width(1), width(2)];
  return rows.map(([path, type, presence, description]) =>
    `    ${bold(path!.padEnd(first))}  ${type!.padEnd(second)}  ${presence!.padEnd(third)}  ${dim(description!)}`.trimEnd(),
  );
}

function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 80) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines.join(`,\n${' '.repeat(16)}`);
}

function mebibytes(bytes: number): string {
  const mebi = bytes / (1024 * 1024);
  return mebi < 1 ? `${bytes / 1024} KiB` : `${Number(mebi.toFixed(1))} MiB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
