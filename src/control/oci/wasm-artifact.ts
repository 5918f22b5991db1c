import { gzipSync } from 'node:zlib';
import { digestOfBytes, MANIFEST_TYPES, type Registry } from './registry.ts';
import { tarWith } from './tar.ts';
import { IMAGE_LAYER, MODULE_FILE, WASM_CONFIG, WASM_LAYER } from './wasm-image.ts';

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

/** How a module is laid out in a registry. */
export type Layout = 'artifact' | 'image';

interface Blob {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Writes a module to a registry.
 *
 * `artifact`: that of the CNCF's TAG Runtime, one layer application/wasm and a config that names its digest.
 * `image`: an image whose only file is plugin.wasm ("compat"), which Istio and Envoy Gateway read.
 *
 * @param which the tag; null: under its digest alone
 * @returns the digest of the manifest
 * @throws TransferError
 */
export async function pushWasm(
  registry: Registry,
  which: string | null,
  artifact: WasmArtifact,
  layout: Layout = 'artifact',
): Promise<string> {
  const { bytes, signatures, schema, created } = artifact;
  const createdText = new Date(created).toISOString();
  const [config, layer] =
    layout === 'artifact' ? artifactBlobs(artifact, createdText) : imageBlobs(artifact, createdText);
  const annotations: Record<string, string> = {
    ...artifact.annotations,
    'org.opencontainers.image.created': createdText,
    [ANNOTATION.digest]: digestOfBytes(bytes).slice('sha256:'.length),
  };
  if (layout === 'image') annotations['module.wasm.image/variant'] = 'compat';
  if (signatures.length > 0)
    annotations[ANNOTATION.signatures] = signatures
      .map((each) => Buffer.from(each).toString('base64'))
      .join(' ');
  if (schema !== null && schema.length <= MAX_SCHEMA_CHARACTERS) annotations[ANNOTATION.schema] = schema;
  for (const blob of [config, layer]) await registry.putBlob(blob.bytes);
  const mediaType = MANIFEST_TYPES.ociManifest;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: descriptorOf(config),
      layers: [descriptorOf(layer)],
      annotations,
    }),
  );
  return registry.putManifest(which ?? digestOfBytes(manifest), mediaType, manifest);
}

function artifactBlobs({ bytes, title }: WasmArtifact, created: string): [config: Blob, layer: Blob] {
  const config = { created, ...PLATFORM, layerDigests: [digestOfBytes(bytes)] };
  return [
    { mediaType: WASM_CONFIG, bytes: Buffer.from(JSON.stringify(config)) },
    { mediaType: WASM_LAYER, bytes, annotations: { 'org.opencontainers.image.title': title } },
  ];
}

function imageBlobs({ bytes }: WasmArtifact, created: string): [config: Blob, layer: Blob] {
  const archive = tarWith(MODULE_FILE, bytes);
  const config = {
    created,
    ...PLATFORM,
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOfBytes(archive)] },
  };
  return [
    { mediaType: 'application/vnd.oci.image.config.v1+json', bytes: Buffer.from(JSON.stringify(config)) },
    { mediaType: IMAGE_LAYER, bytes: gzipSync(archive, { level: 9 }) },
  ];
}

const PLATFORM = { architecture: 'wasm', os: 'wasip1' } as const;

function descriptorOf({ mediaType, bytes, annotations }: Blob): object {
  const descriptor = { mediaType, digest: digestOfBytes(bytes), size: bytes.length };
  return annotations === undefined ? descriptor : { ...descriptor, annotations };
}

/** Base64 of the signatures that came with a module. */
export function signaturesOf(annotations: Readonly<Record<string, string>>): string[] {
  return (annotations[ANNOTATION.signatures] ?? '').split(/\s+/).filter((each) => each !== '');
}
