import { bytesText, type Colors } from '../output.ts';
import { functionSizes, sectionSizes, type Part } from './module-size.ts';

/** Functions that the report names. */
const BIGGEST = 8;

/**
 * What makes a module as big as it is: sections, whose code it is, the biggest functions.
 *
 * @param named the same module with the names of its functions
 * @param previous the module that was there before, or null
 */
export function sizeReport(
  binary: Uint8Array,
  named: Uint8Array,
  previous: Uint8Array | null,
  colors: Colors,
): string {
  const before = previous === null ? null : sizesByName(sectionSizes(previous));
  const functions = functionSizes(named);
  return [
    ...table('by section', mergeByName(sectionSizes(binary)), before, colors),
    ...table('code by origin', byOrigin(functions), null, colors),
    ...table('biggest functions', functions.slice(0, BIGGEST).map(shortened), null, colors),
  ].join('\n');
}

/** `(+120 B since the build before)`, or nothing where that is the same or not known. */
export function changeText(bytes: number, before: number | null): string {
  if (before === null || bytes === before) return '';
  return ` (${signed(bytes - before)} since the build before)`;
}

function table(
  title: string,
  parts: readonly Part[],
  before: Map<string, number> | null,
  colors: Colors,
): string[] {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const lines = parts.map(({ name, bytes }) => {
    const change = before === null ? 0 : bytes - (before.get(name) ?? 0);
    const beside =
      change === 0 ? '' : `  ${change > 0 ? colors.yellow(signed(change)) : colors.green(signed(change))}`;
    return `    ${name.padEnd(width)}  ${bytesText(bytes).padStart(9)}${beside}`;
  });
  return [`  ${colors.dim(title)}`, ...lines];
}

function signed(bytes: number): string {
  return `${bytes > 0 ? '+' : '−'}${bytesText(Math.abs(bytes))}`;
}

const SDK = '~lib/@weir/filters-sdk/assembly/';
const ORIGINS: readonly (readonly [prefix: string, origin: string])[] = [
  [SDK, 'SDK'],
  ['~lib/rt/', 'memory manager and collector'],
  ['~lib/', 'libraries'],
  ['~', 'start and glue'],
  ['', 'this project'],
];

function byOrigin(functions: readonly Part[]): Part[] {
  const parts = functions.map(({ name, bytes }) => ({
    name: ORIGINS.find(([prefix]) => name.startsWith(prefix))![1],
    bytes,
  }));
  return mergeByName(parts).sort((a, b) => b.bytes - a.bytes);
}

function shortened({ name, bytes }: Part): Part {
  return { name: name.replace(SDK, 'SDK: ').replace(/^~lib\//, ''), bytes };
}

function mergeByName(parts: readonly Part[]): Part[] {
  return [...sizesByName(parts)].map(([name, bytes]) => ({ name, bytes }));
}

function sizesByName(parts: readonly Part[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, bytes } of parts) sizes.set(name, (sizes.get(name) ?? 0) + bytes);
  return sizes;
}
