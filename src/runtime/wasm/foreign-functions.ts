import type { Status } from './abi.ts';
import { compress, uncompress } from './compression-functions.ts';
import { createExpression, deleteExpression, evaluateExpression } from './expression-functions.ts';
import type { ForeignResult } from './foreign-result.ts';
import { verifyJws } from './jws-function.ts';
import { seal, unseal } from './seal-functions.ts';
import { takeLimit, takeLimits } from './limit-take.ts';
import { verifyPassword } from './password-function.ts';
import { declareProperty, setEnvoyFilterState, setMetadata } from './property-functions.ts';
import { commitQuota, releaseQuota, reserveQuota } from './quota-functions.ts';
import { addToCounter, deleteShared, listShared, setShared } from './shared-functions.ts';
import { openSchema, validateJson } from './schema-functions.ts';
import { sign, verifySignature } from './signature-functions.ts';
import { clearRouteCache } from './stream-calls.ts';
import type { Vm } from './vm.ts';

/** Arguments lie in guest memory from `start` to `end`; what is kept must be copied. */
export type ForeignCall = (
  vm: Vm,
  memory: Uint8Array,
  start: number,
  end: number,
  result: ForeignResult,
) => Status;

/** A row of docs/foreign-functions.md. */
export interface ForeignFunction {
  readonly name: string;
  readonly does: string;
  /** How the arguments are laid out. */
  readonly takes: string;
  /** How the result is laid out. */
  readonly gives: string;
  /** Names of the statuses that it answers besides Ok. */
  readonly statuses: string;
  /** Host function whose capability it needs beside its own; empty: none. */
  readonly like: string;
  /** Whether it may take longer than the price of a call covers, so that its time is charged. */
  readonly timed: boolean;
  /** The file that holds it, below src/runtime/wasm. */
  readonly file: string;
  readonly call: ForeignCall;
}

/** Every foreign function. Those without `weir.` are Envoy's, with its names, encodings and statuses. */
const ROWS: readonly ForeignFunction[] = [
  {
    name: 'clear_route_cache',
    does: 'The route is found again, after the last filter.',
    takes: '',
    gives: '',
    statuses: 'InternalFailure',
    like: 'proxy_clear_route_cache',
    timed: false,
    file: 'stream-calls.ts',
    call: clearRouteCache,
  },
  {
    name: 'compress',
    does: 'Compresses up to 256 KiB in zlib format (RFC 1950).',
    takes: 'the bytes',
    gives: 'the compressed bytes',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'compression-functions.ts',
    call: compress,
  },
  {
    name: 'uncompress',
    does: 'The other way round, up to 1 MiB.',
    takes: 'the compressed bytes',
    gives: 'the bytes',
    statuses: 'SerializationFailure',
    like: '',
    timed: true,
    file: 'compression-functions.ts',
    call: uncompress,
  },
  {
    name: 'verify_signature',
    does: 'Checks a signature made with RSA (PKCS #1 v1.5) or ECDSA (DER) over sha1, sha224, sha256, sha384 or sha512.',
    takes:
      'protobuf: 1 hash_function, 2 public_key (DER, SubjectPublicKeyInfo), 3 signature, 4 text, 5 public_key_pem; one of the keys',
    gives: 'protobuf: 1 result (bool), 2 error (text)',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'signature-functions.ts',
    call: verifySignature,
  },
  {
    name: 'sign',
    does: 'Makes such a signature.',
    takes:
      'protobuf: 1 hash_function, 2 private_key (DER, PKCS #8), 3 text, 4 private_key_pem; one of the keys',
    gives: 'protobuf: 1 result (bool), 2 signature, 3 error (text)',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'signature-functions.ts',
    call: sign,
  },
  {
    name: 'declare_property',
    does: 'Says how a property is kept that this plugin will set: read-only, as text, for the whole connection. Once for each name.',
    takes:
      'protobuf: 1 name, 2 readonly, 3 type (0 bytes, 1 string, 2 FlatBuffers, 3 protobuf), 4 schema, 5 span (0 and 1 the stream, 2 the connection)',
    gives: '',
    statuses: 'BadArgument',
    like: 'proxy_set_property',
    timed: false,
    file: 'property-functions.ts',
    call: declareProperty,
  },
  {
    name: 'set_envoy_filter_state',
    does: 'Sets `envoy.tcp_proxy.cluster`, `envoy.string` or `envoy.hashable_string`, to be read as `filter_state.<key>`.',
    takes: 'protobuf: 1 path, 2 value (text), 3 span as above',
    gives: '',
    statuses: 'NotFound BadArgument InternalFailure',
    like: 'proxy_set_property',
    timed: false,
    file: 'property-functions.ts',
    call: setEnvoyFilterState,
  },
  {
    name: 'expr_create',
    does: 'Compiles a CEL expression over properties. At most 256 at a time, 4 KiB each. It takes up to a millisecond while the host is cold, so it belongs into `proxy_on_configure`.',
    takes: 'the expression as text',
    gives: 'u32 token, for this plugin in this instance',
    statuses: 'BadArgument InternalFailure',
    like: 'proxy_get_property',
    timed: true,
    file: 'expression-functions.ts',
    call: createExpression,
  },
  {
    name: 'expr_evaluate',
    does: 'Evaluates it for the current context. InternalFailure: it has no value, since a property is not there, or it takes too long.',
    takes: 'u32 token',
    gives: 'the value, encoded as a [property](properties.md#encodings) of its type',
    statuses: 'NotFound BadArgument SerializationFailure InternalFailure',
    like: 'proxy_get_property',
    timed: true,
    file: 'expression-functions.ts',
    call: evaluateExpression,
  },
  {
    name: 'expr_delete',
    does: 'Lets an expression go.',
    takes: 'u32 token',
    gives: '',
    statuses: 'BadArgument',
    like: 'proxy_get_property',
    timed: false,
    file: 'expression-functions.ts',
    call: deleteExpression,
  },
  {
    name: 'weir.verify_jws',
    does: 'Checks the signature of a JSON Web Signature: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. A key of RSA has 2048 to 4096 bits.',
    takes:
      'protobuf: 1 algorithm, 2 JWK of the public key (JSON text), 3 signing input, 4 signature (decoded)',
    gives: 'protobuf: 1 result (bool), 2 error (text)',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'jws-function.ts',
    call: verifyJws,
  },
  {
    name: 'weir.json_schema',
    does: "Compiles a JSON Schema (draft 2020-12) of the filter's own configuration, once for all its instances. A schema that refers to something outside of itself, has a keyword or format that is not known, or a pattern that cannot be matched in linear time, is refused; the log says why.",
    takes:
      'JSON pointer (RFC 6901) of the schema in the configuration, where it may be a text that holds it; NUL; JSON pointer of the part of it that is meant, or nothing',
    gives: 'u32 token, for this filter',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'schema-functions.ts',
    call: openSchema,
  },
  {
    name: 'weir.validate_json',
    does: 'Holds a JSON document against such a schema. SerializationFailure: it is no JSON in UTF-8. Of a document of more than 16 KiB one fault is told. What a document may cost is bounded by its size and that of the schema; one that visits more than 200 000 subschemas by references breaks the rule `complexity`.',
    takes: 'u32 token, u32 how many faults are wanted (1 to 32), then the document',
    gives:
      'nothing where the document is right; JSON text elsewhere: a list of `{"pointer": …, "rule": …}`, the place as a JSON pointer of at most 200 characters and the keyword of the schema, never a value',
    statuses: 'BadArgument NotFound SerializationFailure',
    like: '',
    timed: false,
    file: 'schema-functions.ts',
    call: validateJson,
  },
  {
    name: 'weir.seal',
    does: 'Encrypts and authenticates up to 32 KiB with AES-256-GCM under a random nonce, so that only who has the key can read or make it.',
    takes: 'protobuf: 1 key (32 bytes), 2 data, 3 what it belongs to, which must be the same to open it',
    gives: 'nonce (12 bytes), ciphertext, tag (16 bytes)',
    statuses: 'BadArgument',
    like: '',
    timed: true,
    file: 'seal-functions.ts',
    call: seal,
  },
  {
    name: 'weir.unseal',
    does: 'The other way round.',
    takes: 'protobuf: 1 key (32 bytes), 2 what `weir.seal` gave, 3 what it belongs to',
    gives: 'the data',
    statuses: 'BadArgument SerializationFailure',
    like: '',
    timed: true,
    file: 'seal-functions.ts',
    call: unseal,
  },
  {
    name: 'weir.verify_password',
    does: 'Checks a password against `scrypt$N$r$p$salt$key` (RFC 7914; salt and key in base64), in another thread. N is a power of two from 1024, r × N × 128 at most 64 MiB, p at most 4.',
    takes: 'u32 size of the hash, the hash, the password (at most 1 KiB)',
    gives:
      'u8 state (2 pending, 3 too many wait), 3 × u8 zero, u32 ticket; then u8 (0 wrong, 1 right), 7 × u8 zero by `proxy_on_foreign_function(context, ticket, 8)`. Tickets have the second highest bit',
    statuses: 'BadArgument',
    like: '',
    timed: false,
    file: 'password-function.ts',
    call: verifyPassword,
  },
  {
    name: 'weir.limit_take',
    does: 'Takes from a limit that the host counts, exactly over all workers where its scope says so. What is taken of concurrency is given back when the stream is over, also where its filter trapped or its worker died.',
    takes:
      'u8 algorithm (0 token bucket, 1 GCRA, 2 fixed window, 3 sliding window, 4 concurrency: then periodMs is 1), u8 scope (0 this worker, 1 the machine, 2 all that use the Store of the filter), u8 call (0 take, 1 decide without taking, 2 charge whether there is room or not), u8 where nobody can be asked (0 unavailable, 1 allowed, 2 as the machine counts), u32 requests, u32 periodMs, u32 burst, u32 cost, then the key',
    gives:
      'u8 state (0 denied, 1 allowed, 2 pending, 3 unavailable), 3 × u8 zero, u32 remaining, u32 limit, u32 resetMs, u32 retryAfterMs; pending: u32 ticket in place of remaining, and the result by `proxy_on_foreign_function(context, ticket, 20)`',
    statuses: 'BadArgument InternalFailure',
    like: '',
    timed: false,
    file: 'limit-take.ts',
    call: takeLimit,
  },
  {
    name: 'weir.quota_reserve',
    does: 'Asks for an amount of one or more quotas of the namespace: of all of them or of none. It is charged at once, or kept back until `weir.quota_commit` or `weir.quota_release`. What was charged is on disk before the answer comes, where weir has a `--data-dir`; in a Store it is as durable as the Store keeps it.',
    takes:
      'u32 flags (1 keep back, 2 all that use the Store of the filter count together, not the machine alone, 4 charge what is kept back where the worker dies; else it is given back then), u32 sizes of quotas, key and id, u64 amount, then those three. Quotas are text, a line for each: name, limit, soft limit (0: none), grace, window (hour, day, week, month, year), IANA time zone, and where there is one the plan that it is of, with tabs between. An id that is not empty is charged once in 24 hours',
    gives:
      'u8 state (0 refused, 1 admitted, 2 pending, 3 unavailable), u8 1 where the id was charged before, u8 index of the quota that refuses (255: none), u8 number of quotas, u32 reservation (0: nothing is kept back), then for each quota i64 limit, i64 remaining, u32 seconds until its window ends, u32 seconds of the window, u32 flags (1 soft limit reached, 2 beyond the limit), u32 zero; pending: u32 ticket in place of the reservation, its highest bit set, and the result by `proxy_on_foreign_function(context, ticket, size)`',
    statuses: 'BadArgument',
    like: '',
    timed: false,
    file: 'quota-functions.ts',
    call: reserveQuota,
  },
  {
    name: 'weir.quota_commit',
    does: 'Charges what was kept back with what it came to, which may be more or less. Not waited for.',
    takes: 'u32 reservation, u32 zero, u64 amount',
    gives: '',
    statuses: 'BadArgument NotFound',
    like: '',
    timed: false,
    file: 'quota-functions.ts',
    call: commitQuota,
  },
  {
    name: 'weir.quota_release',
    does: 'Gives back what was kept back; nothing is charged. The host does so for an instance that ends.',
    takes: 'u32 reservation',
    gives: '',
    statuses: 'BadArgument NotFound',
    like: '',
    timed: false,
    file: 'quota-functions.ts',
    call: releaseQuota,
  },
  {
    name: 'weir.limits_take',
    does: 'Takes from all of up to 8 limits, or from none: one that refuses costs the others nothing.',
    takes: 'for each limit: u32 size, then what `weir.limit_take` takes',
    gives:
      'as `weir.limit_take`, the four numbers once for each limit; where one refused, the others have zeros',
    statuses: 'BadArgument InternalFailure',
    like: '',
    timed: false,
    file: 'limit-take.ts',
    call: takeLimits,
  },
  {
    name: 'weir.counter_add',
    does: 'Adds to a counter in the shared data of the VM id, exactly over all workers, and answers what it is then. A counter begins with 0; `proxy_get_shared_data` reads it as 8 bytes.',
    takes:
      'i64 what to add, u32 milliseconds that a counter is there which this makes (0: for good), then the key',
    gives: 'i64',
    statuses: 'BadArgument InternalFailure',
    like: 'proxy_set_shared_data',
    timed: false,
    file: 'shared-functions.ts',
    call: addToCounter,
  },
  {
    name: 'weir.shared_set',
    does: 'Sets shared data as `proxy_set_shared_data` does, for a limited time.',
    takes:
      'u32 milliseconds that it is there (0: for good), u32 version as in `proxy_set_shared_data` (0: any), u32 size of the key, key, value',
    gives: 'u32: 1 set, 0 the version is another',
    statuses: 'BadArgument InternalFailure',
    like: 'proxy_set_shared_data',
    timed: false,
    file: 'shared-functions.ts',
    call: setShared,
  },
  {
    name: 'weir.shared_delete',
    does: 'Removes shared data.',
    takes: 'u32 version (0: any), then the key',
    gives: 'u32: 1 removed, 0 not there, or the version is another',
    statuses: 'BadArgument InternalFailure',
    like: 'proxy_set_shared_data',
    timed: false,
    file: 'shared-functions.ts',
    call: deleteShared,
  },
  {
    name: 'weir.shared_keys',
    does: 'Lists the keys of the shared data that begin with a prefix.',
    takes: 'the prefix',
    gives: 'header map layout: the keys, values empty',
    statuses: '',
    like: 'proxy_get_shared_data',
    timed: true,
    file: 'shared-functions.ts',
    call: listShared,
  },
  {
    name: 'weir.set_metadata',
    does: 'Sets dynamic metadata of the stream, read as `metadata.filter_metadata.<namespace>.<key>`.',
    takes: 'namespace, NUL, key, NUL, value as text',
    gives: '',
    statuses: 'NotFound BadArgument InternalFailure',
    like: 'proxy_set_property',
    timed: false,
    file: 'property-functions.ts',
    call: setMetadata,
  },
];

export const FOREIGN_FUNCTIONS: ReadonlyMap<string, ForeignFunction> = new Map(
  ROWS.map((row) => [row.name, row]),
);
