import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PHASES } from '../../src/control/phase.ts';

const FILTERS = fileURLToPath(new URL('../../src/filters/', import.meta.url));

/** Filters that ship with weir, by phase: the first paragraph of the README of each. */
export async function builtInFiltersMarkdown(notice: string): Promise<string> {
  const lines = [
    '# Filters that ship with weir',
    '',
    notice,
    '',
    'They are written with the same SDK as yours, run in Envoy too, and are named without `module/`:',
    '',
    '```yaml',
    'filters:',
    '- {name: key, use: api-key, config: {from: [{header: x-api-key}], keys: [{name: dev, key: only-for-tests}]}}',
    '```',
    '',
    'The page of each has its fields, what it answers, what it costs and what of it is missing in Envoy. The phase is where a',
    'chain would have it: `weir check` warns of a filter that stands behind one of a later phase.',
    '',
    '| filter | phase | |',
    '| --- | --- | --- |',
  ];
  for (const { name, phase, about } of await builtInFilters())
    lines.push(`| [${name}](../src/filters/${name}/README.md) | ${phase} | ${about} |`);
  return `${lines.join('\n')}\n`;
}

interface BuiltInFilter {
  readonly name: string;
  readonly phase: string;
  readonly about: string;
}

async function builtInFilters(): Promise<BuiltInFilter[]> {
  const filters: BuiltInFilter[] = [];
  const entries = await readdir(FILTERS, { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const schema = JSON.parse(await readFile(join(FILTERS, name, 'schema.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    const readme = await readFile(join(FILTERS, name, 'README.md'), 'utf8');
    filters.push({ name, phase: String(schema['x-weir-phase']), about: firstParagraph(readme) });
  }
  const place = (phase: string): number => PHASES.indexOf(phase as (typeof PHASES)[number]);
  return filters.sort((a, b) => place(a.phase) - place(b.phase) || (a.name < b.name ? -1 : 1));
}

/** On one line, its links as they are from `docs/`. */
function firstParagraph(readme: string): string {
  const paragraph = readme.split('\n\n')[1] ?? '';
  return paragraph
    .replaceAll('\n', ' ')
    .replaceAll('|', '\\|')
    .replaceAll('](../../../docs/', '](')
    .replaceAll('](../', '](../src/filters/')
    .trim();
}
