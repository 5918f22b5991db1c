import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  RECORDING_VERSION,
  type AliasRecord,
  type CallbackRecord,
  type HeaderRecord,
  type InstanceRecord,
  type SummaryRecord,
  type TapRecord,
} from '../runtime/wasm/tap/record.ts';

/** All that one instance did, in its order. */
export interface RecordedInstance {
  readonly record: InstanceRecord;
  readonly callbacks: CallbackRecord[];
  readonly aliases: AliasRecord[];
  /** Null: the recording was cut before its end. */
  end: string | null;
}

export interface Recording {
  readonly header: HeaderRecord;
  readonly instances: readonly RecordedInstance[];
  /** Null: the recording was cut. */
  readonly summary: SummaryRecord | null;
}

/** A file that is no recording. The message says where and why. */
export class RecordingError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
    this.name = 'RecordingError';
  }
}

/**
 * Reads what `weir tap` wrote. A last line that is cut off is left out: the tap was ended in the middle.
 *
 * @throws RecordingError
 */
export async function readRecording(file: string): Promise<Recording> {
  const instances = new Map<string, RecordedInstance>();
  let header: HeaderRecord | null = null;
  let summary: SummaryRecord | null = null;
  let number = 0;
  let broken = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number++;
    if (line === '') continue;
    if (broken > 0)
      throw new RecordingError(
        file,
        broken,
        header === null ? 'this is not a recording of weir tap' : 'this is not JSON',
      );
    let record: TapRecord;
    try {
      record = JSON.parse(line) as TapRecord;
    } catch {
      broken = number;
      continue;
    }
    if (header === null) {
      header = headerOf(record, file);
      continue;
    }
    if (record.type === 'summary') summary = record;
    else if (record.type !== 'recording') take(record, instances, file, number);
  }
  if (header === null) throw new RecordingError(file, 1, 'this is not a recording of weir tap: it is empty');
  return { header, instances: [...instances.values()], summary };
}

function headerOf(record: TapRecord, file: string): HeaderRecord {
  if (record === null || record.type !== 'recording')
    throw new RecordingError(file, 1, 'this is not a recording of weir tap: its first line says what it is');
  if (record.version !== RECORDING_VERSION)
    throw new RecordingError(
      file,
      1,
      `the recording has version ${record.version}, this weir reads ${RECORDING_VERSION}: replay it with weir ${record.weir}, or record it again`,
    );
  return record;
}

function take(
  record: Exclude<TapRecord, HeaderRecord | SummaryRecord>,
  instances: Map<string, RecordedInstance>,
  file: string,
  line: number,
): void {
  if (record.type === 'instance') {
    instances.set(record.instance, { record, callbacks: [], aliases: [], end: null });
    return;
  }
  const instance = instances.get(record.instance);
  if (instance === undefined)
    throw new RecordingError(file, line, `instance ${record.instance} has not begun: lines are missing`);
  if (record.type === 'end') instance.end = record.reason;
  else if (record.type === 'alias') instance.aliases.push(record);
  else {
    if (record.seq !== instance.callbacks.length)
      throw new RecordingError(
        file,
        line,
        `callback ${record.seq} of instance ${record.instance} comes out of order`,
      );
    instance.callbacks.push(record);
  }
}
