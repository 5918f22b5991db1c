import { readFileSync } from 'node:fs';
import { ROOT } from './process.ts';

/** A block of code of a document. */
export interface DocBlock {
  /** Behind the language, such as `filter`. */
  readonly marks: readonly string[];
  readonly language: string;
  /** Of its first line in the document. */
  readonly line: number;
  readonly code: string;
}

export function blocksOf(document: string): DocBlock[] {
  const text = readFileSync(ROOT + document, 'utf8');
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1]!,
    marks: match[2]!.trim().split(' ').filter(Boolean),
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[3]!,
  }));
}
