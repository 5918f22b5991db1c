import { isUtf8 } from 'node:buffer';
import { JsonSchema, SchemaError, SchemaResource, valueAt } from '../json-schema.ts';
import { Status } from './abi.ts';
import type { ForeignResult } from './foreign-result.ts';
import { SCHEMAS, SCHEMA_FAULTS, SCHEMA_LISTED_BYTES } from './limits.ts';
import { readU32 } from './pairs.ts';
import type { Plugin } from './plugin.ts';
import type { Vm } from './vm.ts';

/** Schemas of a plugin's configuration: whichever of its instances asks, each is compiled once. */
class PluginSchemas {
  readonly configuration: unknown;
  readonly resources = new Map<string, SchemaResource>();
  readonly tokens = new Map<string, number>();
  readonly schemas: JsonSchema[] = [];

  constructor(configuration: unknown) {
    this.configuration = configuration;
  }
}

const byPlugin = new WeakMap<Plugin, PluginSchemas>();

/**
 * `weir.json_schema`: a schema of the plugin's own configuration, answered with its token. Guests cannot bring one: code
 * is made of schemas.
 */
export function openSchema(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  const { plugin } = vm;
  const place = Buffer.from(memory.buffer, memory.byteOffset + start, end - start).toString();
  try {
    const known = schemasOf(plugin);
    let token = known.tokens.get(place);
    if (token === undefined) {
      if (known.schemas.length >= SCHEMAS) throw new SchemaError(`a filter has at most ${SCHEMAS} schemas`);
      token = known.schemas.push(compileAt(known, place)) - 1;
      known.tokens.set(place, token);
    }
    result.small.writeUInt32LE(token);
    result.length = 4;
    return Status.Ok;
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    plugin.warnOnce(`weir.json_schema: ${printable(place)}: ${error.message}`);
    return Status.BadArgument;
  }
}

function schemasOf(plugin: Plugin): PluginSchemas {
  let known = byPlugin.get(plugin);
  if (known === undefined) {
    byPlugin.set(plugin, (known = new PluginSchemas(parse(Buffer.from(plugin.configuration).toString()))));
  }
  return known;
}

function compileAt(known: PluginSchemas, place: string): JsonSchema {
  const [at = '', fragment = ''] = place.split('\0');
  let resource = known.resources.get(at);
  if (resource === undefined) {
    const value = valueAt(known.configuration, at);
    if (value === undefined) throw new SchemaError('the configuration has nothing there');
    resource = new SchemaResource(typeof value === 'string' ? parse(value) : value);
    known.resources.set(at, resource);
  }
  return resource.compile(fragment);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new SchemaError('this is no JSON');
  }
}

function printable(place: string): string {
  return JSON.stringify(place.replace('\0', '#').slice(0, 200));
}

/** @returns undefined where it is no JSON */
function parsed(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** `weir.validate_json`: whether a document is as a schema says. */
export function validateJson(
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
): Status {
  if (end - start < 8) return Status.BadArgument;
  const schema = byPlugin.get(vm.plugin)?.schemas[readU32(memory, start)];
  if (schema === undefined) return Status.NotFound;
  const begin = performance.now();
  const document = parsed(memory.subarray(start + 8, end));
  if (document === undefined) {
    vm.meter.chargeMs(performance.now() - begin);
    return Status.SerializationFailure;
  }
  // All that is wrong with a large document may be more than the document itself.
  const asked = Math.min(Math.max(readU32(memory, start + 4), 1), SCHEMA_FAULTS);
  const first = schema.listsForTheFirstTime;
  const faults = schema.check(document, end - start - 8 > SCHEMA_LISTED_BYTES ? 1 : asked);
  // What is compiled once is not this request's.
  if (!first || schema.listsForTheFirstTime) vm.meter.chargeMs(performance.now() - begin);
  if (faults.length > 0) result.set(Buffer.from(JSON.stringify(faults)));
  return Status.Ok;
}
