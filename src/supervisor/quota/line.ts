import { createHash } from 'node:crypto';

const DIGEST_CHARACTERS = 16;
const HEAD = /^([0-9a-f]{16}) (\d+) /;

/**
 * One line of the ledger's file: the first 16 hexadecimal digits of the SHA-256 of all that follows, a number that is
 * one more than that of the line before, and records as a JSON array.
 */
export interface LedgerLine {
  readonly sequence: number;
  readonly records: readonly unknown[];
}

export function formatLine(sequence: number, records: readonly unknown[]): string {
  const text = `${sequence} ${JSON.stringify(records)}`;
  return `${digestOf(text)} ${text}\n`;
}

/** @param text without its line end; null: it is no whole line */
export function parseLine(text: string): LedgerLine | null {
  const head = HEAD.exec(text);
  if (head === null || digestOf(text.slice(DIGEST_CHARACTERS + 1)) !== head[1]) return null;
  // What has the digest is what was written.
  return { sequence: Number(head[2]), records: JSON.parse(text.slice(head[0].length)) as unknown[] };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_CHARACTERS);
}
