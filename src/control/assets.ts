import type { CertificateSpec } from '../runtime/snapshot.ts';
import type { Credential } from './consumers.ts';
import type { FilterSchema } from './filter-schema.ts';
import type { SecretMembers } from './filter-secrets.ts';
import type { ModuleSchema } from './module-schema.ts';
import type { ModuleProtocols } from './module-protocols.ts';
import type { CompiledApi } from './openapi/compile.ts';

/** A filter that ships with weir. */
export interface BuiltinFilter {
  /** sha256 of its module. */
  readonly digest: string;
  /** Checks its configuration; null where it came without a schema. */
  readonly schema: FilterSchema | null;
}

/**
 * What a configuration needs from outside of its own text, read before it is compiled. What could
 * not be read is absent, and has been reported by whoever tried.
 */
export interface Assets {
  /** sha256 of the bytes, by `namespace/name` of the Module. */
  readonly modules: ReadonlyMap<string, string>;
  /** Of their configurations, by `namespace/name` of the Module. */
  readonly schemas: ReadonlyMap<string, ModuleSchema>;
  /** By the name that `use` has. */
  readonly builtins: ReadonlyMap<string, BuiltinFilter>;
  /** By digest; absent where the bytes cannot be read. */
  readonly protocols: ReadonlyMap<string, ModuleProtocols>;
  /** By `Secret/namespace/name` or `Certificate/namespace/name`. */
  readonly certificates: ReadonlyMap<string, CertificateSpec>;
  /** PEM bundles to verify with: of Upstreams by `namespace/name`, of Stores by `Store namespace/name`. */
  readonly authorities: ReadonlyMap<string, string>;
  /** OpenAPI documents that filters name, by path of the file. */
  readonly apis: ReadonlyMap<string, CompiledApi>;
  /** Values of Secrets that stand in configurations of filters by now. */
  readonly secretMembers: SecretMembers;
  /** Makes further credentials of Consumers, for tests; absent: there are none. */
  readonly standIns?: (credentials: readonly Credential[]) => Credential[];
}
