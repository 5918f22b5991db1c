import { ProtobufReader } from './protobuf.ts';

/** An upstream as a guest names it for a gRPC call. */
export interface GrpcTarget {
  readonly name: string;
  /** Empty where the guest does not say. */
  readonly authority: string;
  /** Fields for each call, before those of the call itself. */
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

/** Bytes below this begin no name, but every field of the message. */
const SPACE = 0x20;

/**
 * What stands for an upstream: its name, or a serialised `envoy.config.core.v3.GrpcService` with `envoy_grpc`
 * (`cluster_name`, `authority`) or `google_grpc` (`target_uri`, taken for a name) and `initial_metadata`.
 *
 * @returns null where the bytes are neither
 */
export function readTarget(bytes: Uint8Array): GrpcTarget | null {
  if (bytes.length === 0) return null;
  if (bytes[0]! >= SPACE) return { name: Buffer.from(bytes).toString(), authority: '', metadata: [] };
  const service = new ProtobufReader(bytes);
  const metadata: (readonly [string, string])[] = [];
  let name = '';
  let authority = '';
  while (service.next()) {
    if (!service.isBytes) continue;
    if (service.field === 1) ({ name, authority } = readTexts(service.bytes()));
    else if (service.field === 2) ({ name } = readTexts(service.bytes()));
    else if (service.field === 5) {
      // `HeaderValue` has its key and its value where the others have name and authority.
      const field = readTexts(service.bytes());
      metadata.push([field.name.toLowerCase(), field.authority]);
    }
  }
  return service.failed || name === '' ? null : { name, authority, metadata };
}

/** Fields 1 and 2 of a message, which are texts. */
function readTexts(bytes: Uint8Array): { name: string; authority: string } {
  const reader = new ProtobufReader(bytes);
  let name = '';
  let authority = '';
  while (reader.next()) {
    if (reader.field === 1 && reader.isBytes) name = reader.text();
    else if (reader.field === 2 && reader.isBytes) authority = reader.text();
  }
  return reader.failed ? { name: '', authority: '' } : { name, authority };
}
