import { digestOfBytes, MANIFEST_TYPES, type Registry } from './registry.ts';
import { WASM_CONFIG, WASM_LAYER } from './wasm-image.ts';

/** Annotations of the manifest that weir writes and reads. */
export const ANNOTATION = {
  /** sha256 of the module, hex. */
  digest: 'weir.module.sha256',
  /** Ed25519 signatures over that digest, base64, with blanks between them. */
  signatures: 'weir.module.signatures',
  /** JSON Schema of the plugin's configuration. */
  schema: 'weir.module.schema',
} as const;

const MAX_SCHEMA_CHARACTERS = 64 * 1024;

export interface WasmArtifact {
  readonly bytes: Uint8Array;
  /** File name, for tools that unpack it. */
  readonly title: string;
  readonly signatures: readonly Uint8Array[];
  /** JSON; null where the module carries none. */
  readonly schema: string | null;
  /** Further annotations of the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. The same artifact at the same time has the same digest. */
  readonly created: number;
}

/**
 * Writes a module as the OCI artifact of the CNCF's TAG Runtime: one layer application/wasm, and a config that
 * names its digest.
 *
 * @param which the tag; null: under its digest alone
 * @returns the digest of the manifest
 * @throws TransferError
 */
export async function pushWasm(
  registry: Registry,
  which: string | null,
  artifact: WasmArtifact,
): Promise<string> {
  const { bytes, title, signatures, schema, created } = artifact;
  const layerDigest = digestOfBytes(bytes);
  const createdText = new Date(created).toISOString();
  const config = Buffer.from(
    JSON.stringify({ created: createdText, architecture: 'wasm', os: 'wasip1', layerDigests: [layerDigest] }),
  );
  await registry.putBlob(config);
  await registry.putBlob(bytes);
  const annotations: Record<string, string> = {
    ...artifact.annotations,
    'org.opencontainers.image.created': createdText,
    [ANNOTATION.digest]: layerDigest.slice('sha256:'.length),
  };
  if (signatures.length > 0)
    annotations[ANNOTATION.signatures] = signatures
      .map((each) => Buffer.from(each).toString('base64'))
      .join(' ');
  if (schema !== null && schema.length <= MAX_SCHEMA_CHARACTERS) annotations[ANNOTATION.schema] = schema;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPES.ociManifest,
      config: { mediaType: WASM_CONFIG, digest: digestOfBytes(config), size: config.length },
      layers: [
        {
          mediaType: WASM_LAYER,
          digest: layerDigest,
          size: bytes.length,
          annotations: { 'org.opencontainers.image.title': title },
        },
      ],
      annotations,
    }),
  );
  return registry.putManifest(which ?? digestOfBytes(manifest), MANIFEST_TYPES.ociManifest, manifest);
}

/** Base64 of the signatures that came with a module. */
export function signaturesOf(annotations: Readonly<Record<string, string>>): string[] {
  return (annotations[ANNOTATION.signatures] ?? '').split(/\s+/).filter((each) => each !== '');
}
