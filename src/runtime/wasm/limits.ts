/** Every number that bounds a guest, with its unit (docs/security.md, section 6). */

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const PAGE_BYTES = 64 * KiB;

/** A module's file. */
export const MODULE_BYTES = 8 * MiB;
export const MODULE_FUNCTIONS = 50_000;
export const MODULE_TABLE_ENTRIES = 10_000;
export const FUNCTION_LOCALS = 1000;
/** Memory of one instance where the module's declaration names no other. */
export const INSTANCE_BYTES = 16 * MiB;

/** Memory of all instances of a worker. */
export const HEAP_BYTES = 256 * MiB;
/** Of a worker: the engine reserves address space for each and refuses some 13 000. */
export const INSTANCES = 1000;

/** One callback, where the Module says no other. */
export const CALL_MS = 10;
/** The callbacks of all filters of one HTTP stream together, and what each MiB of body shown to one adds. */
export const REQUEST_MS = 50;
export const REQUEST_MS_PER_MIB = 10;
/** Frames of a guest's stack. */
export const CALL_FRAMES = 1000;
/** Start function, `proxy_on_vm_start` and `proxy_on_configure` together; the last two alone for more plugins on a VM. */
export const START_MS = 1000;
/** What a retired plugin that answered false to `proxy_on_done` has until it is deleted. */
export const DONE_MS = 10_000;

/** A serialised header map that a guest hands over. */
export const PAIRS_BYTES = MiB;
export const PAIRS_COUNT = 1024;
/** A header map after a guest's edits: its arena with what the edits left behind, and its fields. */
export const MAP_BYTES = MiB;
export const MAP_FIELDS = 1024;
export const FIELD_NAME_BYTES = 1024;
export const FIELD_VALUE_BYTES = 64 * KiB;
/** A body after a guest's edits. */
export const BODY_BYTES = 16 * MiB;
/** Effects other than edits that one callback may ask for. */
export const EFFECTS = 4096;

export const LOG_LINE_BYTES = KiB;
export const LOG_LINES_PER_SECOND = 100;

export const RANDOM_BYTES = 64 * KiB;
/** Pieces of one `fd_write`: IOV_MAX elsewhere, too. */
export const WRITE_PIECES = 1024;
export const PROPERTY_PATH_BYTES = KiB;
export const PROPERTY_VALUE_BYTES = 64 * KiB;

/** Shared data of one tenant and VM id. */
export const SHARED_BYTES = MiB;
export const SHARED_KEYS = 1024;
/** A key of shared data, the name of a queue, a VM id. */
export const SHARED_NAME_BYTES = 4 * KiB;
/** Shared data and queues of all tenants. */
export const SHARED_TOTAL_BYTES = 32 * MiB;
/** Of one tenant and VM id. */
export const QUEUES = 64;
/** One queue. */
export const QUEUE_ITEMS = 1024;
export const QUEUE_BYTES = MiB;

/** Metrics that one plugin may define. */
export const METRICS = 1000;
export const METRIC_NAME_BYTES = 256;

/** Callouts that one stream may have under way. */
export const CALLOUTS = 10;
/** Those that a root context may: it asks for many streams. */
export const ROOT_CALLOUTS = 1000;
export const CALLOUT_MS = 5000;
/** gRPC streams that the root context of a plugin may have under way in one instance. */
export const GRPC_STREAMS = 100;
/** A gRPC stream without a message in either direction ends after this. */
export const GRPC_STREAM_IDLE_MS = 300_000;
/** Names of service and method, with their slashes. */
export const GRPC_PATH_BYTES = KiB;
export const FOREIGN_NAME_BYTES = 128;
export const FOREIGN_ARGUMENT_BYTES = MiB;
/** What `compress` takes and `uncompress` gives: some 10 ms of work. */
export const COMPRESS_BYTES = 256 * KiB;
export const UNCOMPRESSED_BYTES = MiB;
/** What `weir.seal` takes: a session in cookies is a fraction of it. */
export const SEALED_BYTES = 32 * KiB;
/** A key for `sign` and `verify_signature`. */
export const KEY_BYTES = 16 * KiB;
export const KEY_BITS = 4096;
/** Text of a CEL expression, and of a pattern in it. */
export const EXPRESSION_BYTES = 4 * KiB;
export const PATTERN_BYTES = 512;
/** Expressions that one root context may keep. */
export const EXPRESSIONS = 256;
/** What one evaluation may cost: some 5 ms at worst. */
export const EXPRESSION_STEPS = 20_000;
/** A text within an evaluation, in UTF-16 units. */
export const EXPRESSION_TEXT = 64 * KiB;
/** JSON Schemas of one plugin, what is told of a document that is wrong, and up to which size it is more than one thing. */
export const SCHEMAS = 4096;
export const SCHEMA_FAULTS = 32;
export const SCHEMA_LISTED_BYTES = 16 * KiB;
/** Properties that the plugins of one stream may keep, and those that one connection may. */
export const PROPERTIES = 256;
/** Properties that one plugin may declare. */
export const DECLARED_PROPERTIES = 256;
/** A password, and how many a worker checks at a time and has waiting: each takes some 100 ms of a thread. */
export const PASSWORD_BYTES = KiB;
export const PASSWORDS_AT_ONCE = 2;
export const PASSWORDS_WAITING = 64;
/** Answers of foreign functions that one instance may be waiting for. */
export const FOREIGN_PENDING = 65_536;

/** Quotas of one question, and bytes of the key and of the id that it may have. */
export const QUOTAS = 16;
export const QUOTA_KEY_BYTES = KiB;

/** After a trap: the first replacement comes at once, the next after `BACKOFF_MIN_MS`, then doubling. */
export const BACKOFF_MIN_MS = 1000;
export const BACKOFF_MAX_MS = 60_000;
export const BREAKER_TRAPS = 5;
export const BREAKER_WINDOW_MS = 60_000;
