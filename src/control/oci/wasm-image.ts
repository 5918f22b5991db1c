import { MODULE_BYTES } from '../../runtime/wasm/limits.ts';
import { ArchiveError, isGzip, isTar, unzip, wasmFilesOfTar } from './tar.ts';
import { DIGEST, type Reference } from './reference.ts';
import { MANIFEST_TYPES, type Manifest, type Registry } from './registry.ts';
import { TransferError } from './transfer.ts';

/** The artifact of the CNCF's TAG Runtime, which is what weir writes. */
export const WASM_CONFIG = 'application/vnd.wasm.config.v0+json';
export const WASM_LAYER = 'application/wasm';

/** Layers that are the module itself. */
const PLAIN_LAYERS = [
  WASM_LAYER,
  // The first artifacts for Envoy ("oci" of the image specification), and those of wasm-to-oci.
  'application/vnd.module.wasm.content.layer.v1+wasm',
  'application/vnd.wasm.content.layer.v1+wasm',
];
export const IMAGE_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** Layers of images that Docker and others build ("compat"): a file system that holds plugin.wasm. */
const TAR_LAYERS = [
  IMAGE_LAYER,
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar',
];
export const MODULE_FILE = 'plugin.wasm';
const MAX_LAYERS = 16;
/** A layer with a module of the largest size and something beside it. */
const LAYER_BYTES = 2 * MODULE_BYTES;
/** What layers of an image may unpack to, each. */
const UNPACKED_BYTES = 4 * MODULE_BYTES;

/** What was found in a registry. */
export interface WasmImage {
  readonly bytes: Buffer;
  /** Of the manifest that the module came from: that of the platform, where there is an index. */
  readonly manifestDigest: string;
  /** Of what the reference names. */
  readonly digest: string;
  readonly layout: 'wasm artifact' | 'image';
  readonly annotations: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
  readonly annotations: Readonly<Record<string, string>>;
}

interface Contents {
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** Reads the module of a reference, whatever layout it has. @throws TransferError */
export async function pullWasm(registry: Registry, { tag, digest }: Reference): Promise<WasmImage> {
  const top = await registry.manifest(digest ?? tag!);
  const manifest = await platformManifest(registry, top);
  const { layers, annotations } = contentsOf(manifest);
  const plain = layers.filter(({ mediaType }) => PLAIN_LAYERS.includes(mediaType));
  const found = { digest: top.digest, manifestDigest: manifest.digest };
  if (plain.length > 1) throw wrong(`the artifact has ${plain.length} modules; a filter is one`);
  const [layer] = plain;
  if (layer !== undefined) {
    const bytes = await registry.blob(layer.digest, bounded(layer, MODULE_BYTES));
    return {
      ...found,
      bytes,
      layout: 'wasm artifact',
      annotations: { ...layer.annotations, ...annotations },
    };
  }
  return { ...found, bytes: await moduleOfImage(registry, layers), layout: 'image', annotations };
}

/** One level of index at most. */
async function platformManifest(registry: Registry, top: Manifest): Promise<Manifest> {
  const isIndex = top.mediaType === MANIFEST_TYPES.ociIndex || top.mediaType === MANIFEST_TYPES.dockerList;
  if (!isIndex) return top;
  const { manifests } = contentsOf(top);
  // Attestations that builders add have no platform.
  const real = manifests.filter(({ platform }) => platform?.os !== 'unknown');
  const forWasm = real.filter(
    ({ platform }) => /^wasm/.test(platform?.architecture ?? '') || /^was[im]/.test(platform?.os ?? ''),
  );
  const [chosen] = forWasm.length > 0 ? forWasm : real.length === 1 ? real : [];
  if (chosen === undefined) {
    const known = real.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`);
    throw wrong(`none of its platforms is one of WebAssembly: ${known.join(', ') || 'there are none'}`);
  }
  return registry.manifest(chosen.digest);
}

/** Later layers hide earlier ones. */
async function moduleOfImage(registry: Registry, layers: readonly Descriptor[]): Promise<Buffer> {
  const archives = layers.filter(({ mediaType }) => TAR_LAYERS.includes(mediaType));
  if (archives.length === 0) {
    const types = layers.map(({ mediaType }) => mediaType).join(', ');
    throw wrong(`no layer holds a module: ${types === '' ? 'there are none' : types}`);
  }
  if (archives.length > MAX_LAYERS)
    throw wrong(`the image has ${archives.length} layers, at most ${MAX_LAYERS} are read`);
  for (const layer of archives.reverse()) {
    const bytes = await registry.blob(layer.digest, bounded(layer, LAYER_BYTES));
    try {
      const module = await moduleOfArchive(bytes);
      if (module !== null) return module;
    } catch (error) {
      if (error instanceof ArchiveError) throw wrong(`layer ${layer.digest}: ${error.message}`);
      throw error;
    }
  }
  throw wrong(`no layer of the image has a file ${MODULE_FILE}`);
}

/**
 * The module in an archive: plugin.wasm, else the only .wasm file. Bytes that are no archive are the module
 * itself.
 *
 * @throws ArchiveError
 */
export async function moduleOfArchive(bytes: Buffer): Promise<Buffer | null> {
  const unpacked = isGzip(bytes) ? await unzip(bytes, UNPACKED_BYTES) : bytes;
  if (!isTar(unpacked)) return unpacked;
  const files = wasmFilesOfTar(unpacked);
  const module = files.find(({ name }) => name === MODULE_FILE) ?? (files.length === 1 ? files[0]! : null);
  if (module === null && files.length > 1)
    throw new ArchiveError(
      `it has ${files
        .map(({ name }) => name)
        .slice(0, 8)
        .join(', ')} and no ${MODULE_FILE}`,
    );
  if (module !== null && module.bytes.length > MODULE_BYTES)
    throw new ArchiveError(`${module.name} is larger than ${MODULE_BYTES / (1024 * 1024)} MiB`);
  return module === null ? null : Buffer.from(module.bytes);
}

function bounded({ digest, size }: Descriptor, limit: number): number {
  if (size <= limit) return size;
  throw wrong(`layer ${digest} has ${size} bytes, at most ${limit / (1024 * 1024)} MiB are read`);
}

function contentsOf({ bytes, mediaType }: Manifest): Contents {
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw wrong(`its manifest is no JSON (${mediaType || 'without a type'})`);
  }
  if (manifest['schemaVersion'] !== 2) throw wrong('its manifest has another version than 2');
  return {
    layers: descriptorsOf(manifest['layers']),
    manifests: descriptorsOf(manifest['manifests']),
    annotations: textsOf(manifest['annotations']),
  };
}

function descriptorsOf(value: unknown): Descriptor[] {
  if (!Array.isArray(value)) return [];
  return value.map((each: Partial<Descriptor> | null) => {
    const { mediaType, digest, size, platform, annotations } = each ?? {};
    if (
      typeof mediaType !== 'string' ||
      typeof digest !== 'string' ||
      !DIGEST.test(digest) ||
      !Number.isSafeInteger(size) ||
      size! < 0
    )
      throw wrong('a descriptor in its manifest is damaged, or its digest is no sha256');
    return {
      mediaType,
      digest,
      size: size!,
      ...(platform ? { platform } : {}),
      annotations: textsOf(annotations),
    };
  });
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function wrong(message: string): TransferError {
  return new TransferError('wrong', message);
}
