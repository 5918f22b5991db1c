/** Configurations and filters that the scenarios put before a running weir. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Weir } from './process.ts';
import { guest, type Scripts } from './wasm-guest.ts';

const RESPONSE_HEADERS = 2;
/** `loop (br 0) end`: nothing but an interrupt ends it. */
const ENDLESS_LOOP = [0x03, 0x40, 0x0c, 0x00, 0x0b];

const accepts: Scripts = {
  proxy_on_context_create: () => undefined,
  proxy_on_vm_start: (script) => script.return(1),
  proxy_on_configure: (script) => script.return(1),
};

/** A filter that adds `x-module: <label>` to each answer. */
export function labelFilter(label: string): Uint8Array {
  return guest({
    ...accepts,
    proxy_on_response_headers: (script) => {
      const [name, value] = [script.text('x-module'), script.text(label)];
      script.call('proxy_add_header_map_value', RESPONSE_HEADERS, name, value).return(0);
    },
  });
}

/** A filter that logs a reason and refuses its configuration. */
export function refusingFilter(reason: string): Uint8Array {
  return guest({
    ...accepts,
    proxy_on_configure: (script) => {
      script.call('proxy_log', 4, script.text(reason)).return(0);
    },
  });
}

/** A filter whose configuration never comes to an end. */
export function loopingFilter(): Uint8Array {
  return guest({
    ...accepts,
    proxy_on_configure: (script) => {
      script.run(ENDLESS_LOOP).return(1);
    },
  });
}

/** A filter that traps while it is configured. */
export function trappingFilter(): Uint8Array {
  return guest({
    ...accepts,
    proxy_on_configure: (script) => {
      script.trap();
    },
  });
}

/** A filter that starts, and traps with each answer after it has added a field to it. */
export function failingFilter(label: string): Uint8Array {
  return guest({
    ...accepts,
    proxy_on_response_headers: (script) => {
      const [name, value] = [script.text('x-module'), script.text(label)];
      script.call('proxy_add_header_map_value', RESPONSE_HEADERS, name, value).trap();
    },
  });
}

export interface PolicyOptions {
  readonly port: number;
  readonly upstreamPort: number;
  /** Sent to the client as `x-policy`. */
  readonly policy?: string;
  /** File of the module, beside the YAML; null: no filter. */
  readonly module?: string | null;
  readonly sha256?: string;
  readonly config?: unknown;
  readonly listenerField?: string;
}

/** A gateway with one route to one upstream, and one filter in front. The text has a fixed shape, for positions. */
export function policies(options: PolicyOptions): string {
  const { port, upstreamPort, policy = 'p0', module = 'filter.wasm', sha256, config } = options;
  const filter = `
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: label, namespace: shop}
spec:
  source: {file: ${module}}${sha256 === undefined ? '' : `\n  sha256: ${sha256}`}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: label
    use: module/label${config === undefined ? '' : `\n    config: ${JSON.stringify(config)}`}`;
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  ${options.listenerField ?? 'gatewayClassName'}: weir
  listeners:
  - {name: http, port: ${port}, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-policy, value: ${policy}}]}
    backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: origin, namespace: shop}
spec:
  endpoints: {static: [{address: 127.0.0.1, port: ${upstreamPort}}]}${module === null ? '' : filter}
`;
}

/** The same gateway and upstream with two routes: `/filtered` through the filter, `/plain` without one. */
export function twoRoutes(options: PolicyOptions): string {
  const route = (name: string): string => `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {value: /${name}}}]
    backendRefs: [{group: policy.weir, kind: Upstream, name: origin}]
`;
  const text = policies(options).replace('{kind: Gateway, name: edge}', '{kind: HTTPRoute, name: filtered}');
  return text + route('filtered') + route('plain');
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What `/ready?verbose` tells, as far as the scenarios ask. */
export interface Detail {
  readonly state: string;
  readonly snapshot: { readonly number: number; readonly version: string } | null;
  readonly configuration: {
    readonly lastReload: 'success' | 'refused' | 'rolled-back';
    readonly applied: number;
    readonly rejected: number;
    readonly rollbacks: number;
    readonly refused: {
      readonly text: string;
      readonly diagnostics: readonly {
        readonly code: string;
        readonly file: string;
        readonly line: number;
      }[];
    } | null;
  };
  readonly workers: readonly {
    readonly slot: number;
    readonly pid: number | null;
    readonly version: string | null;
    readonly serving: boolean;
    readonly restarts: number;
    readonly snapshots: number | null;
  }[];
  readonly modules: readonly {
    readonly name: string;
    readonly digest: string;
    readonly state: string;
    readonly failed: { readonly digest: string; readonly plugin: string; readonly reason: string } | null;
  }[];
  readonly plugins: readonly {
    readonly name: string;
    readonly instances: number;
    readonly heapBytes: number;
  }[];
  readonly savedState: string;
}

export async function detailOf(weir: Weir): Promise<Detail> {
  return (await weir.admin('/ready?verbose')).json<Detail>();
}

/** Waits until what the admin server tells meets a condition. */
export async function until(
  weir: Weir,
  what: string,
  condition: (detail: Detail) => boolean,
  timeoutMs = 10_000,
): Promise<Detail> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const detail = await detailOf(weir);
    if (condition(detail)) return detail;
    if (performance.now() > deadline) throw weir.fault(`${what}: ${JSON.stringify(detail, null, 1)}`);
    await sleep(10);
  }
}

/** The value of a metric without labels, or the sum over all labels. */
export async function metricOf(weir: Weir, name: string): Promise<number> {
  const { text } = await weir.admin('/metrics');
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
