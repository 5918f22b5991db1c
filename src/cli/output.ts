import { Help } from 'commander';
import pc from 'picocolors';

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for what goes to a stream: on a terminal, unless NO_COLOR asks for none; FORCE_COLOR wants them anywhere. */
export function colorsFor(stream: { readonly isTTY?: boolean }): Colors {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== '';
  const terminal = stream.isTTY === true && TERM !== 'dumb';
  return pc.createColors((forced || terminal) && (NO_COLOR ?? '') === '');
}

/** `7.4 KiB`, `312 B`. */
export function bytesText(bytes: number): string {
  return Math.abs(bytes) < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}

const MAX_COLUMNS = 100;

/** Paragraphs in lines that a terminal has room for, 80 columns where there is none. */
export function wrapped(text: string, stream: { readonly columns?: number }): string {
  return new Help().boxWrap(text, Math.min(stream.columns ?? 80, MAX_COLUMNS));
}
