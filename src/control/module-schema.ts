import { customSection } from '../runtime/wasm/custom-section.ts';
import { BinaryError } from '../runtime/wasm/cursor.ts';
import { expandCapabilities, isCapability } from '../runtime/wasm/capabilities.ts';
import type { Config, UsableObject } from './config.ts';
import { resolveBeside, type FileReader } from './files.ts';
import { FilterSchema } from './filter-schema.ts';
import { SCHEMA_BYTES, schemaFault } from './schema-bounds.ts';

/** The custom section in which a module carries the JSON Schema of its configuration. */
const SCHEMA_SECTION = 'weir.schema';

/** The schema of a Module's configuration. */
export interface ModuleSchema {
  readonly schema: FilterSchema;
  /** Where it is, for messages: `inside module risk@sha256:1f2e3d4c5b6a`, or a file. */
  readonly from: string;
}

/**
 * The schema that a Module names, or that its module carries; null where there is none, where it is
 * switched off, and where it cannot be used, which is reported.
 */
export async function loadModuleSchema(
  config: Config,
  module: UsableObject<'Module'>,
  reader: FileReader,
  digest: string,
  bytes: Uint8Array,
): Promise<ModuleSchema | null> {
  const { file, mode } = module.value.spec.schema;
  if (mode === 'Off') return null;
  const from =
    file === undefined
      ? `inside module ${module.name}@sha256:${digest.slice(0, 12)}`
      : resolveBeside(module.document.file, file);
  const path = file === undefined ? ['spec', 'source'] : ['spec', 'schema', 'file'];
  const schema = file === undefined ? moduleSchema(digest, bytes) : await schemaFile(from, reader);
  if (schema === null) return null;
  if (typeof schema === 'string') {
    config.report(module, 'WEIR1212', path, `the schema ${from} cannot be used: ${schema}`, {
      hint: 'write schema: {mode: Off} to do without',
    });
    return null;
  }
  if (schema.skipped.length > 0) {
    const message = `the schema ${from} has patterns that weir does not check`;
    const notes = schema.skipped
      .slice(0, 3)
      .map((pattern) => `not checked: ${JSON.stringify(pattern).slice(0, 80)}`);
    config.report(module, 'WEIR3022', path, message, { severity: 'warning', notes });
  }
  reportMissingCapabilities(config, module, schema);
  return { schema, from };
}

async function schemaFile(file: string, reader: FileReader): Promise<FilterSchema | string> {
  const text = await reader.bytes(file, SCHEMA_BYTES);
  return typeof text === 'string' ? `the file ${text}` : untrustedSchema(text);
}

/** A module cannot give itself anything; that it says what it needs saves a search. */
function reportMissingCapabilities(
  config: Config,
  module: UsableObject<'Module'>,
  schema: FilterSchema,
): void {
  if (schema.capabilities === undefined) return;
  const { capabilities } = module.value.spec;
  const granted = expandCapabilities(capabilities);
  const missing = expandCapabilities(schema.capabilities.filter(isCapability)).filter(
    (word) => !granted.includes(word) && !(word.startsWith('foreign/') && granted.includes('foreign')),
  );
  if (missing.length === 0) return;
  const path = ['spec', ...(capabilities === undefined ? [] : ['capabilities'])];
  const message = `Module ${module.name} does not have all capabilities that its module says it needs: ${missing.join(', ')}`;
  config.report(module, 'WEIR3023', path, message, {
    severity: 'warning',
    hint: `capabilities: [${[...(capabilities ?? ['default']), ...missing].join(', ')}]`,
  });
}

/** Compiled once for as long as a module is in use: by digest, the ones used last. */
const compiled = new Map<string, FilterSchema | string | null>();
const MOST_COMPILED = 256;

/** What a module itself says of its configuration: a schema, why it is not used, or null where there is none. */
export function moduleSchema(digest: string, bytes: Uint8Array): FilterSchema | string | null {
  const known = compiled.get(digest);
  if (known !== undefined) return known;
  const schema = readSection(bytes);
  if (compiled.size >= MOST_COMPILED) compiled.delete(compiled.keys().next().value!);
  compiled.set(digest, schema);
  return schema;
}

function readSection(bytes: Uint8Array): FilterSchema | string | null {
  let section: Uint8Array | null;
  try {
    section = customSection(bytes, SCHEMA_SECTION);
  } catch (error) {
    // The workers will say better what is wrong with the module.
    if (error instanceof BinaryError) return null;
    throw error;
  }
  return section === null ? null : untrustedSchema(section);
}

/** A schema that weir did not come with, checked before it is compiled; or why it cannot be used. */
function untrustedSchema(text: Uint8Array): FilterSchema | string {
  if (text.length > SCHEMA_BYTES) return `it has ${text.length} bytes, at most ${SCHEMA_BYTES} are read`;
  let schema: unknown;
  try {
    schema = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch {
    return 'it is not JSON in UTF-8';
  }
  const fault = schemaFault(schema);
  if (fault !== null) return fault;
  try {
    return FilterSchema.untrusted(schema as object);
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 200) : String(error);
  }
}
