import { protobufBytes, protobufField, protobufVarint, ProtobufReader } from '../runtime/wasm/protobuf.ts';

// envoy.service.ratelimit.v3: what is read and written of its messages, by the numbers of their fields.

export interface Descriptor {
  readonly entries: readonly (readonly [key: string, value: string])[];
  /** Null: as the request says. */
  readonly hits: number | null;
}

export interface RateLimitRequest {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
  /** What each descriptor takes, where it does not say otherwise. */
  readonly hits: number;
}

export const Code = { Ok: 1, OverLimit: 2 } as const;
export type Code = (typeof Code)[keyof typeof Code];

/** `RateLimitResponse.RateLimit.Unit`, by its milliseconds; other periods have none. */
const UNITS: ReadonlyMap<number, number> = new Map([
  [1000, 1],
  [60_000, 2],
  [3_600_000, 3],
  [86_400_000, 4],
  [604_800_000, 7],
]);

export interface DescriptorStatus {
  readonly code: Code;
  /** Null: no limit fits. */
  readonly limit: { readonly requests: number; readonly periodMs: number } | null;
  readonly remaining: number;
  readonly resetMs: number;
}

/** @throws Error where the bytes are no `RateLimitRequest` */
export function readRequest(bytes: Uint8Array): RateLimitRequest {
  let domain = '';
  let hits = 0;
  const descriptors: Descriptor[] = [];
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    if (reader.field === 1 && reader.isBytes) domain = reader.text();
    else if (reader.field === 2 && reader.isBytes) descriptors.push(readDescriptor(reader.bytes()));
    else if (reader.field === 3 && reader.isVarint) hits = reader.int32 >>> 0;
  }
  refuse(reader);
  // 0 is the field's default: it says nothing.
  return { domain, descriptors, hits: hits === 0 ? 1 : hits };
}

function readDescriptor(bytes: Uint8Array): Descriptor {
  const entries: [string, string][] = [];
  let hits: number | null = null;
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    if (!reader.isBytes) continue;
    if (reader.field === 1) entries.push(readEntry(reader.bytes()));
    else if (reader.field === 3) hits = readUint64(reader.bytes());
  }
  refuse(reader);
  return { entries, hits };
}

function readEntry(bytes: Uint8Array): [string, string] {
  let key = '';
  let value = '';
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    if (!reader.isBytes) continue;
    if (reader.field === 1) key = reader.text();
    else if (reader.field === 2) value = reader.text();
  }
  refuse(reader);
  return [key, value];
}

/** Of `google.protobuf.UInt64Value`; more than 32 bits count as all of them. */
function readUint64(bytes: Uint8Array): number {
  let value = 0;
  const reader = new ProtobufReader(bytes);
  while (reader.next()) if (reader.field === 1 && reader.isVarint) value = reader.int32 >>> 0;
  refuse(reader);
  return value;
}

function refuse(reader: ProtobufReader): void {
  if (reader.failed) throw new Error('not a RateLimitRequest');
}

/** `RateLimitResponse`. */
export function writeResponse(overall: Code, statuses: readonly DescriptorStatus[]): Buffer {
  return Buffer.concat([
    protobufVarint(1, overall),
    ...statuses.map((status) => protobufBytes(2, writeStatus(status))),
  ]);
}

function writeStatus({ code, limit, remaining, resetMs }: DescriptorStatus): Buffer {
  if (limit === null) return protobufVarint(1, code);
  const seconds = Math.floor(resetMs / 1000);
  const duration = [protobufVarint(1, seconds), protobufVarint(2, (resetMs - 1000 * seconds) * 1e6)];
  return Buffer.concat([
    protobufVarint(1, code),
    protobufField(
      2,
      Buffer.concat([protobufVarint(1, limit.requests), protobufVarint(2, UNITS.get(limit.periodMs) ?? 0)]),
    ),
    protobufVarint(3, remaining),
    protobufBytes(4, Buffer.concat(duration)),
  ]);
}
