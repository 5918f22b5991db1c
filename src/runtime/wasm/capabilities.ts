/**
 * What a module may do beside logging, reading the clock and its own configuration, and waiting. The
 * table is the one source: the links of an instance, the check of `capabilities` in a Module and
 * docs/capabilities.md come from it.
 */

export interface CapabilityRow {
  readonly name: string;
  /** What it grants, for docs. */
  readonly grants: string;
  /** Whether a Module that says nothing has it. */
  readonly byDefault: boolean;
  /** Host functions that need it. */
  readonly functions: readonly string[];
  /**
   * Host functions that need it only for the message: where their first argument is one of the first four
   * maps or buffers. Answers of callouts and configurations are not the message's.
   */
  readonly messageFunctions: readonly string[];
}

function row(
  name: string,
  grants: string,
  functions: readonly string[],
  messageFunctions: readonly string[] = [],
  byDefault = true,
): CapabilityRow {
  return { name, grants, byDefault, functions, messageFunctions };
}

export const CAPABILITIES: readonly CapabilityRow[] = [
  row(
    'headers',
    'Read and change the fields of requests and answers, trailers included, and ask for routing again.',
    [
      'proxy_set_header_map_pairs',
      'proxy_add_header_map_value',
      'proxy_replace_header_map_value',
      'proxy_remove_header_map_value',
      'proxy_clear_route_cache',
    ],
    ['proxy_get_header_map_size', 'proxy_get_header_map_pairs', 'proxy_get_header_map_value'],
  ),
  row(
    'body',
    'Read and change bodies, and the data of TCP connections.',
    ['proxy_set_buffer_bytes'],
    ['proxy_get_buffer_bytes', 'proxy_get_buffer_status'],
  ),
  row('reply', 'Answer in place of the upstream, and end a stream.', [
    'proxy_send_local_response',
    'proxy_close_stream',
  ]),
  row('properties', 'Read what is known of the stream, and set properties of it.', [
    'proxy_get_property',
    'proxy_set_property',
  ]),
  row('httpCall', 'Send HTTP requests, to the upstreams that `callouts` of the filter names and no other.', [
    'proxy_http_call',
  ]),
  row('grpcCall', 'Make gRPC calls, to the same upstreams.', [
    'proxy_grpc_call',
    'proxy_grpc_stream',
    'proxy_grpc_send',
    'proxy_grpc_cancel',
    'proxy_grpc_close',
  ]),
  row('sharedData', 'Read and write the shared data of its namespace.', [
    'proxy_get_shared_data',
    'proxy_set_shared_data',
  ]),
  row('sharedQueues', 'Use the shared queues of its namespace.', [
    'proxy_register_shared_queue',
    'proxy_resolve_shared_queue',
    'proxy_enqueue_shared_queue',
    'proxy_dequeue_shared_queue',
  ]),
  row('metrics', 'Define metrics, at most 1000, and count in them.', [
    'proxy_define_metric',
    'proxy_increment_metric',
    'proxy_record_metric',
    'proxy_get_metric',
  ]),
  row('tick', 'Be called at intervals.', ['proxy_set_tick_period_milliseconds']),
  row(
    'foreign',
    'Call every foreign function that needs no other capability as well (foreign-functions.md); `foreign/NAME` grants one of them, whatever it does.',
    ['proxy_call_foreign_function'],
  ),
  row(
    'secrets',
    'See credentials: the fields Authorization, Proxy-Authorization, Cookie, Set-Cookie and ' +
      'X-Forwarded-Client-Cert, and properties of the client’s certificate.',
    [],
    [],
    false,
  ),
];

/** Stands for all that a Module has which says nothing. */
export const DEFAULT_CAPABILITY = 'default';
const ONE_FOREIGN = 'foreign/';
const FOREIGN_NAME = /^foreign\/[!-~]{1,128}$/;

/** What a Module has which says nothing. */
export const DEFAULT_CAPABILITIES: readonly string[] = CAPABILITIES.filter((each) => each.byDefault).map(
  ({ name }) => name,
);

const NAMES = new Set(CAPABILITIES.map(({ name }) => name));

/** Every word that `capabilities` of a Module takes, but for `foreign/NAME`. */
export const CAPABILITY_WORDS: readonly string[] = [DEFAULT_CAPABILITY, ...NAMES];

export function isCapability(word: string): boolean {
  return word === DEFAULT_CAPABILITY || NAMES.has(word) || FOREIGN_NAME.test(word);
}

/** The capabilities that words of a Module stand for: `default` written out, in the order of the table. */
export function expandCapabilities(words: readonly string[] | undefined): string[] {
  if (words === undefined) return [...DEFAULT_CAPABILITIES];
  const granted = new Set(
    words.flatMap((word) => (word === DEFAULT_CAPABILITY ? DEFAULT_CAPABILITIES : [word])),
  );
  const single = granted.has('foreign') ? [] : [...granted].filter((word) => word.startsWith(ONE_FOREIGN));
  return [...NAMES].filter((name) => granted.has(name)).concat(single.sort());
}

interface Need {
  readonly capability: string;
  readonly ofMessage: boolean;
}

const NEEDS = new Map<string, Need>(
  CAPABILITIES.flatMap(({ name, functions, messageFunctions }) => [
    ...functions.map((each) => [each, { capability: name, ofMessage: false }] as const),
    ...messageFunctions.map((each) => [each, { capability: name, ofMessage: true }] as const),
  ]),
);

/** What one plugin may do. */
export class Grants {
  /** Credentials are not shown to it. */
  readonly hidesSecrets: boolean;
  readonly #granted: ReadonlySet<string>;
  /** What was answered for foreign functions, of which there are few. */
  readonly #foreign = new Map<string, boolean>();

  /** @param capabilities as `expandCapabilities` leaves them */
  constructor(capabilities: readonly string[]) {
    this.#granted = new Set(capabilities);
    this.hidesSecrets = !this.#granted.has('secrets');
  }

  /** The capability that a host function needs and that is not there; null where the function may be called. */
  missing(hostFunction: string): Need | null {
    const need = NEEDS.get(hostFunction);
    if (need === undefined || this.#granted.has(need.capability)) return null;
    // Each foreign function is asked for by its own name.
    if (need.capability === 'foreign' && [...this.#granted].some((each) => each.startsWith(ONE_FOREIGN)))
      return null;
    return need;
  }

  /**
   * A foreign function granted by name may be called. With `foreign` alone it must be no way around
   * another capability.
   *
   * @param like the host function whose capability it needs, too; empty: none
   */
  allowsForeign(name: string, like: string): boolean {
    let allowed = this.#foreign.get(name);
    if (allowed === undefined) {
      allowed =
        this.#granted.has(ONE_FOREIGN + name) ||
        (this.#granted.has('foreign') && this.missing(like) === null);
      this.#foreign.set(name, allowed);
    }
    return allowed;
  }
}
