/** A weir with the filter waf in its chain, on real sockets, and what becomes of requests that are sent to it. */
import { cleanUp } from '../../test/support/cleanup.ts';
import { FakeUpstream, reply } from '../../test/support/fake-upstream.ts';
import { freePort } from '../../test/support/ports.ts';
import { Weir } from '../../test/support/process.ts';
import { exchange } from '../../test/support/raw-client.ts';

const FIELD = 'X-Bench-Number';
const CONCURRENT = 8;

export interface Verdict {
  /** `passes`: the upstream saw it. `waf`: the filter refused it. `weir`: it never came to the filter. */
  readonly outcome: 'passes' | 'waf' | 'weir';
  readonly status: number;
  /** What the filter found, whatever came of it. */
  readonly rules: string;
}

interface Line {
  readonly fields?: { readonly number?: string | null; readonly rules?: string | null };
}

/**
 * Sends requests and says what became of each.
 *
 * @param requests bytes of HTTP/1.1, with a CRLF behind their first line
 * @param config of the filter
 */
export async function judgeAll(requests: readonly Buffer[], config: object): Promise<Verdict[]> {
  const upstream = await FakeUpstream.start({ behaviour: reply(200), discard: true });
  const port = await freePort();
  const weir = await Weir.start({ files: { 'bench.yaml': policies(port, upstream.port, config) } });
  try {
    const statuses = await sendAll(requests, port);
    await weir.stop();
    const rules = new Map<string, string>();
    for (const { fields } of weir.accessLog as Line[])
      if (fields?.number) rules.set(fields.number, fields.rules ?? '');
    return statuses.map((status, i) => {
      const outcome = status === 200 ? 'passes' : status === 403 || status === 413 ? 'waf' : 'weir';
      return { outcome, status, rules: rules.get(String(i)) ?? '' };
    });
  } finally {
    await cleanUp();
  }
}

/** Status of each; 0: the connection ended without an answer. */
async function sendAll(requests: readonly Buffer[], port: number): Promise<number[]> {
  const statuses: number[] = [];
  let next = 0;
  const sendRest = async (): Promise<void> => {
    while (next < requests.length) {
      const i = next++;
      const method = requests[i]!.toString('latin1', 0, 5) === 'HEAD ' ? 'HEAD' : 'GET';
      const answer = exchange({ port, timeoutMs: 15_000 }, numbered(requests[i]!, i), { method });
      statuses[i] = await answer.then(
        ({ status }) => status,
        () => 0,
      );
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, sendRest));
  return statuses;
}

/** With a field that the access log tells, behind the first line. */
function numbered(request: Buffer, number: number): Buffer {
  const end = request.indexOf('\r\n') + 2;
  if (end < 2) return request;
  return Buffer.concat([
    request.subarray(0, end),
    Buffer.from(`${FIELD}: ${number}\r\n`),
    request.subarray(end),
  ]);
}

function policies(port: number, upstreamPort: number, config: object): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bench}
spec: {gatewayClassName: weir, listeners: [{name: http, port: ${port}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all}
spec:
  parentRefs: [{name: bench}]
  rules:
  - backendRefs: [{group: policy.weir, kind: Upstream, name: upstream}]
---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: upstream}
spec: {endpoints: {static: [{address: 127.0.0.1, port: ${upstreamPort}}]}}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain}
spec:
  targetRefs: [{kind: HTTPRoute, name: all}]
  filters:
  - {name: waf, use: waf, body: {buffer: 1Mi}, config: ${JSON.stringify(config)}}
---
apiVersion: policy.weir/v1alpha1
kind: Telemetry
metadata: {name: told}
spec:
  accessLog:
    fields:
      number: 'request.headers["${FIELD.toLowerCase()}"]'
      rules: 'string(filter_state["wasm.waf.rules"])'
`;
}
