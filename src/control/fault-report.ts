import { readFile } from 'node:fs/promises';
import type { ErrorCode } from '../errors.ts';
import type { FaultKind, StageFault } from '../runtime/stage-fault.ts';
import type { Diagnostic } from './diagnostic.ts';
import { withoutCredentials } from './secret-text.ts';

const CODES: Readonly<Record<FaultKind, ErrorCode>> = {
  module: 'WEIR4001',
  plugin: 'WEIR4002',
  listen: 'WEIR4003',
  time: 'WEIR4004',
  worker: 'WEIR4005',
  'rolled-back': 'WEIR4007',
  test: 'WEIR4008',
};

/** Faults that only show when a snapshot is tried, told like the ones that show in its text. */
export function diagnose(faults: readonly StageFault[], fallback: string): Promise<Diagnostic[]> {
  return Promise.all(faults.map((fault) => diagnoseOne(fault, fallback)));
}

async function diagnoseOne(
  { kind, source, message, notes }: StageFault,
  fallback: string,
): Promise<Diagnostic> {
  const place = /^(.*):(\d+):(\d+)$/.exec(source ?? '');
  const file = place?.[1] ?? fallback;
  const line = Number(place?.[2] ?? 0);
  const sourceLine = line > 0 ? await lineOf(file, line) : undefined;
  return {
    code: CODES[kind],
    severity: 'error',
    file,
    line,
    column: Number(place?.[3] ?? 1),
    length: 1,
    message,
    ...(notes && notes.length > 0
      ? { notes: notes.map((note) => (kind === 'test' ? note : `the filter said: ${note}`)) }
      : {}),
    ...(sourceLine === undefined ? {} : { sourceLine }),
  };
}

async function lineOf(file: string, line: number): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).split(/\r?\n/)[line - 1];
    return text === undefined ? undefined : withoutCredentials(text);
  } catch {
    // The place is told without its text.
    return undefined;
  }
}
