import { join } from 'node:path';
import type { ErrorCode } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import type { Snapshot } from '../runtime/snapshot.ts';
import { codeOf } from '../runtime/stage-fault.ts';
import type { Assets } from './assets.ts';
import { resolveFilterSecrets } from './filter-secrets.ts';
import type { FilterSchema } from './filter-schema.ts';
import { loadApis } from './apis.ts';
import { loadAuthorities } from './authorities.ts';
import { loadCertificates } from './certificates.ts';
import { compileSnapshot } from './compile.ts';
import { Config } from './config.ts';
import { formatPlace, hasErrors, sortDiagnostics, type Diagnostic } from './diagnostic.ts';
import type { ConfigDocument } from './document.ts';
import type { PlaceOf } from './fault-report.ts';
import { FileReader, fileFault, listFiles } from './files.ts';
import { findFilter } from './filter-place.ts';
import { FilterUses } from './filter-uses.ts';
import { protocolsOf, type ModuleProtocols } from './module-protocols.ts';
import { ModuleCache } from './module-cache.ts';
import { ModulePuller } from './module-pull.ts';
import { loadBuiltins, loadModules, type Code } from './modules.ts';
import { isApiDocument } from './openapi/compile.ts';
import { parseText, type ParsedText } from './parse.ts';
import type { Phase } from './phase.ts';
import { checkPolicyTests, type PolicyTest } from './policy-tests.ts';
import { compileRateLimitServices, type RateLimitDomain } from './rate-limit-services.ts';
import { StoreTable } from './stores.ts';
import { UNREAD, type Unread } from './unread.ts';
import { presentedByAll, standInsFor, type Presented } from './stand-ins.ts';

export interface LoadOptions {
  /** Folder of the filters that ship with weir. Default: `dist/filters` of the package. */
  readonly filters?: string;
  /** Milliseconds since 1970, to warn of certificates outside their period. Default: the clock. */
  readonly now?: number;
  /** Modules that were pulled before. Default: none were. */
  readonly cache?: ModuleCache;
  /** Uses nothing but the cache in place of the network. */
  readonly offline?: boolean;
  /** Source maps keep the sources themselves, for a debugger. */
  readonly mapSources?: boolean;
  /** Consumers have a further credential of each kind, which `consumers` of what is loaded shows. For tests. */
  readonly standIns?: boolean;
}

/** A configuration that was read, checked and compiled. */
export interface Loaded {
  /** null where any diagnostic is an error. */
  readonly snapshot: Snapshot | null;
  /** Bytes of the modules that the snapshot names, by digest. */
  readonly code: ReadonlyMap<string, Uint8Array>;
  /** By file and place. */
  readonly diagnostics: readonly Diagnostic[];
  /** Every file that the result depends on, for watching: also modules, certificates, and files that were missing. */
  readonly files: readonly string[];
  /** Of the snapshot's plugins. */
  readonly placeOf: PlaceOf;
}

/** With what `weir test` reads beside the snapshot. */
export interface LoadedWithTests extends Loaded {
  readonly tests: readonly PolicyTest[];
  /** What `weir ratelimit` serves. */
  readonly rateLimits: readonly RateLimitDomain[];
  /** What Consumers show where there are stand-ins, by `namespace/name`. */
  readonly consumers: ReadonlyMap<string, Presented>;
  /** Values of Secrets in configurations of filters, which nothing that is printed may show. */
  readonly secretTexts: readonly string[];
  /** Phases of filters by the name of their module, as the snapshot has it; those that declare none are left out. */
  readonly phases: ReadonlyMap<string, Phase>;
  /** Of configurations of filters, by what `use` says; Modules of several namespaces may share a name. */
  readonly schemas: ReadonlyMap<string, readonly FilterSchema[]>;
}

/**
 * Reads files, and folders with all `*.yaml` and `*.yml` below them, as one configuration.
 *
 * Whatever is wrong with them is in `diagnostics`, all of it in one run; the promise is rejected
 * only where the installation itself is broken.
 */
export async function loadConfiguration(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<LoadedWithTests> {
  const reader = new FileReader();
  const { files, diagnostics } = await listFiles(paths);
  const documents: ConfigDocument[] = [];
  const unread: Unread[] = hasErrors(diagnostics) ? [UNREAD] : [];
  for (const file of files) {
    const read = await reader.text(file);
    if (typeof read === 'string') {
      diagnostics.push(fileFault(file, read));
      unread.push(UNREAD);
      continue;
    }
    const parsed = parseText(file, read.text);
    diagnostics.push(...parsed.diagnostics);
    unread.push(...parsed.unread);
    // They are read where a filter names them.
    documents.push(...parsed.documents.filter(({ value }) => !isApiDocument(value)));
  }
  return loadDocuments(documents, reader, { diagnostics, unread }, options);
}

/** The same for objects that are there already. Relative paths in them are taken from `document.file`. */
export async function loadDocuments(
  documents: readonly ConfigDocument[],
  reader: FileReader,
  before: Pick<ParsedText, 'diagnostics' | 'unread'> = { diagnostics: [], unread: [] },
  options: LoadOptions = {},
): Promise<LoadedWithTests> {
  const config = new Config(documents, before.unread);
  const secrets = resolveFilterSecrets(config);
  const code: Code = new Map();
  const filters = options.filters ?? join(packageRoot(), 'dist', 'filters');
  const builtins = await loadBuiltins(filters, reader, code);
  const puller = new ModulePuller(options.cache ?? new ModuleCache(null), options.offline ?? false);
  const { digests, schemas } = await loadModules(config, reader, code, puller, options.mapSources ?? false);
  const assets = {
    builtins,
    modules: digests,
    schemas,
    protocols: protocolsByDigest(code),
    certificates: await loadCertificates(config, reader, options.now ?? Date.now()),
    authorities: await loadAuthorities(config, reader),
    apis: await loadApis(config, reader),
    secretMembers: secrets.members,
    ...(options.standIns === true ? { standIns: standInsFor } : {}),
  };
  const snapshot = compileSnapshot(config, assets);
  const rateLimits = compileRateLimitServices(config, new StoreTable(config, assets));
  checkPolicyTests(config, snapshot);
  const diagnostics = sortDiagnostics(
    withoutConsequences(unique([...before.diagnostics, ...config.diagnostics])),
  );
  const uses = new FilterUses(config, assets);
  const placeOf: PlaceOf = (name) => {
    const plugin = snapshot.plugins.find((each) => each.name === name);
    return plugin === undefined ? null : findFilter(config, uses, secrets.texts, plugin);
  };
  const used = new Set(snapshot.modules.map((module) => module.digest));
  return {
    snapshot: hasErrors(diagnostics) ? null : snapshot,
    code: codeOf(code, used),
    tests: config.all('PolicyTest'),
    rateLimits,
    consumers: options.standIns === true ? presentedByAll(config) : new Map(),
    secretTexts: secrets.texts,
    phases: phasesOf(config, assets),
    schemas: schemasByUse(assets),
    diagnostics,
    files: [...reader.seen],
    placeOf,
  };
}

function schemasByUse({ builtins, schemas }: Assets): Map<string, readonly FilterSchema[]> {
  const byUse = new Map<string, readonly FilterSchema[]>();
  for (const [name, { schema }] of builtins) if (schema !== null) byUse.set(name, [schema]);
  for (const [name, { schema }] of schemas) {
    const use = `module/${name.slice(name.indexOf('/') + 1)}`;
    byUse.set(use, [...(byUse.get(use) ?? []), schema]);
  }
  return byUse;
}

function phasesOf(config: Config, { builtins, schemas }: Assets): Map<string, Phase> {
  const declared: [string, Phase | null | undefined][] = [
    ...[...builtins].map(([name, { schema }]): [string, Phase | null | undefined] => [
      `builtin/${name}`,
      schema?.phase,
    ]),
    ...config
      .all('Module')
      .map(({ namespace, name, value }): [string, Phase | null | undefined] => [
        `${namespace}/${name}`,
        value.spec.phase ?? schemas.get(`${namespace}/${name}`)?.schema.phase,
      ]),
  ];
  return new Map(declared.filter((entry): entry is [string, Phase] => entry[1] != null));
}

function protocolsByDigest(code: Code): Map<string, ModuleProtocols> {
  const protocols = new Map<string, ModuleProtocols>();
  for (const [digest, bytes] of code) {
    const known = protocolsOf(bytes);
    if (known !== null) protocols.set(digest, known);
  }
  return protocols;
}

/** Warnings that draw conclusions from the whole configuration. Where it has errors, they would mostly be about these. */
const CONCLUSIONS: ReadonlySet<ErrorCode> = new Set([
  'WEIR3004',
  'WEIR3012',
  'WEIR3030',
  'WEIR3031',
  'WEIR3032',
  'WEIR3035',
]);

function withoutConsequences(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return hasErrors(diagnostics) ? diagnostics.filter(({ code }) => !CONCLUSIONS.has(code)) : diagnostics;
}

/** A fault is found once for each listener that a route is attached to. */
function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Map<string, Diagnostic>();
  for (const diagnostic of diagnostics) {
    const key = `${diagnostic.code} ${formatPlace(diagnostic)} ${diagnostic.message}`;
    if (!seen.has(key)) seen.set(key, diagnostic);
  }
  return [...seen.values()];
}
