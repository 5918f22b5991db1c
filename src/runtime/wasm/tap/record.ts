/**
 * What a tap writes: JSON Lines, one record each. docs/tap.md describes them for readers of files.
 * Readers refuse a version that they do not know; fields may be added within one.
 */
export const RECORDING_VERSION = 1;

/** Bytes as text where they are UTF-8, else in base64; of a body that was cut, its size and its beginning. */
export type RecordedBytes =
  string | { readonly base64: string } | { readonly size: number; readonly begin: RecordedBytes };

export type RecordedFields = readonly (readonly [name: RecordedBytes, value: RecordedBytes])[];

/** What a guest can see of a stream. Maps and bodies by `MapType` and `BufferType`; those as before are left out. */
export interface RecordedState {
  /** Types of the maps that there are, one digit each, and of those that may be changed. */
  readonly has: string;
  readonly writable: string;
  readonly maps?: Readonly<Record<string, RecordedFields>>;
  /** Null: there is none now. */
  readonly bodies?: Readonly<Record<string, RecordedBytes | null>>;
}

/** A call of the guest: what it asked, what it was answered. */
export interface RecordedCall {
  readonly call: string;
  readonly in: readonly (number | string | RecordedBytes)[];
  /** A status, errno, or the number that `seed` gave; null where the call did not return. */
  readonly status: number | null;
  /** Where the status is Ok. 64-bit numbers are text. */
  readonly out?: readonly (number | string | RecordedBytes)[];
  /** Of the stream that `proxy_set_effective_context` turned to. */
  readonly state?: RecordedState;
}

/** An answer to a callout, as the callback that tells of it can read it. */
export interface RecordedAnswer {
  readonly headers: RecordedFields;
  readonly body: RecordedBytes;
  readonly trailers: RecordedFields;
  readonly status: number;
  readonly message: string;
}

export interface CallbackRecord {
  readonly type: 'callback';
  /** Of which instance, and its place among what that instance did. */
  readonly instance: string;
  readonly seq: number;
  /** Full name of the filter. */
  readonly plugin: string;
  /** `start` for what an instance does before its first callback. */
  readonly callback: string;
  /** Number of the context; `stream` tells that it is a stream's, with that stream's request id. */
  readonly context: number;
  readonly stream?: string;
  readonly args: readonly number[];
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly micros: number;
  /** Units of the meter that the guest took; not there in recordings made before it was written. */
  readonly fuel?: number;
  readonly state?: RecordedState;
  /** Properties of the stream, with its first callback: for filters that ask for others. */
  readonly properties?: Readonly<Record<string, RecordedBytes>>;
  /** Of a callout (HTTP, or gRPC: then without its head). */
  readonly answer?: RecordedAnswer;
  /** Of `proxy_on_foreign_function`. */
  readonly data?: RecordedBytes;
  readonly calls: readonly RecordedCall[];
  /** What the callback returned; null where it trapped. */
  readonly result: number | null;
  readonly trap?: string;
  /** What the callback changed, by the number of the context: maps and bodies as they are afterwards. */
  readonly after?: Readonly<Record<string, Omit<RecordedState, 'has' | 'writable'>>>;
  /** The guest was given values that the recording does not have as they were. */
  readonly redacted?: true;
}

export interface PluginRecord {
  readonly name: string;
  readonly rootId: string;
  readonly configuration: string;
  readonly capabilities: readonly string[];
  readonly properties: 'envoy' | 'text';
  readonly upstreams: readonly string[];
}

/** An instance begins: all that it does from here on is in the recording. */
export interface InstanceRecord {
  readonly type: 'instance';
  readonly instance: string;
  readonly module: { readonly name: string; readonly digest: string; readonly abi: string };
  readonly memoryBytes: number;
  readonly vmId: string;
  readonly vmConfiguration: string;
  readonly environment: readonly string[];
  readonly tenant: string;
  readonly worker: number;
  readonly logLevel: number;
  readonly emptyWhenMissing: boolean;
  /** In the order of their start. */
  readonly plugins: readonly PluginRecord[];
}

/** The recording of an instance is over. */
export interface EndRecord {
  readonly type: 'end';
  readonly instance: string;
  /** `done`, or why it was cut: `trap`, `too much` (it outran its reader), `gone` (its worker or filter ended). */
  readonly reason: string;
}

/**
 * The SHA-256 of a value that was redacted stands in the configuration: where the pseudonym's has to stand,
 * so that a filter that compares hashes still finds what it looks for. Hexadecimal.
 */
export interface AliasRecord {
  readonly type: 'alias';
  readonly instance: string;
  readonly find: string;
  readonly replace: string;
}

/** First line. */
export interface HeaderRecord {
  readonly type: 'recording';
  readonly version: number;
  readonly weir: string;
  readonly filters: readonly string[];
  readonly began: string;
  readonly secrets: 'redacted' | 'kept';
  /** Bytes of each body that were written, at most; null: all. */
  readonly bodies: number | null;
}

/** Last line. Without one, the tap was cut. */
export interface SummaryRecord {
  readonly type: 'summary';
  readonly streams: number;
  /** Streams that were chosen but not recorded because the reader was too slow or the limit of bytes was reached. */
  readonly dropped: number;
}

export type TapRecord =
  HeaderRecord | InstanceRecord | CallbackRecord | AliasRecord | EndRecord | SummaryRecord;

const FILLER = 'x';

export function recordedBytes(bytes: Uint8Array): RecordedBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  // A round trip: anything else would come back as other bytes.
  return buffer.equals(Buffer.from(text)) ? text : { base64: buffer.toString('base64') };
}

/** Bytes to be played back: what was cut off a body is made up. */
export function bytesOf(recorded: RecordedBytes): Buffer {
  if (typeof recorded === 'string') return Buffer.from(recorded);
  if ('base64' in recorded) return Buffer.from(recorded.base64, 'base64');
  const bytes = Buffer.alloc(recorded.size, FILLER);
  bytesOf(recorded.begin).copy(bytes);
  return bytes;
}
