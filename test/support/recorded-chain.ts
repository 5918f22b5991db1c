/** A real chain whose filters ask the host for all that is not in their hands, for recordings of it. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';
import { edge } from './edge.ts';
import { sha256Of } from './scenario.ts';

/** Time, chance, data that it shares with the other worker, a callout that holds the request, a tick, metrics, logs. */
export function guard(greeting = 'hi'): Promise<Uint8Array> {
  return compile(`export * from '@weir/filters-sdk/assembly/exports';
import {
  Action, CallResponse, PairsWriter, RootContext, StreamContext, compareAndSetShared, getShared, httpCall, log, LogLevel, now,
  property, registerRoot, replyWith, requestHeaders, responseBody, responseHeaders, resumeRequest, setTickPeriod, sharedVersion,
} from '@weir/filters-sdk/assembly';
import { Counter, MetricName } from '@weir/filters-sdk/assembly/metrics';

@external('wasi_snapshot_preview1', 'random_get')
declare function random_get(at: usize, size: i32): i32;

const dice = memory.data(8);
let ticks = 0;
let seen = 0;
let requests: Counter | null = null;

class Root extends RootContext {
  onConfigure(configuration: ArrayBuffer): bool {
    requests = new Counter(new MetricName('guarded'));
    setTickPeriod(5);
    return true;
  }
  onTick(): void {
    ticks++;
    compareAndSetShared('ticks', ticks.toString(), 0);
  }
  createStream(): StreamContext {
    return new Guard();
  }
}

class Guard extends StreamContext {
  number: i32 = 0;

  onRequestHeaders(count: i32, endOfStream: bool): Action {
    this.number = ++seen;
    requests!.add(1);
    random_get(dice, 8);
    const known = getShared('seen');
    const before = known === null ? 0 : <i32>known.toUnsigned();
    const kept = compareAndSetShared('seen', (before + 1).toString(), known === null ? 0 : sharedVersion());
    requestHeaders.set('x-guard', load<u32>(dice).toString() + '-' + (kept ? '1' : '0') + '-' + Math.random().toString());
    const path = requestHeaders.get(':path')!.toString();
    const fields = new PairsWriter().add(':method', 'POST').add(':path', path).add(':authority', 'authz');
    if (httpCall('authz', fields, this.number.toString() + ' at ' + now().toString(), 5000) == 0) return replyWith(500, 'no call');
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    const verdict = response.headers.get('x-verdict');
    log(LogLevel.Info, 'verdict ' + (verdict === null ? 'none' : verdict.toString()) + ' ticks ' + ticks.toString());
    if (verdict !== null && verdict.equals('no')) {
      replyWith(403, 'forbidden by ' + response.body.toString());
      return;
    }
    requestHeaders.set('x-verdict', response.body);
    resumeRequest();
  }

  onResponseHeaders(count: i32, endOfStream: bool): Action {
    const address = property('source.address');
    responseHeaders.set('x-greeting', '${greeting}');
    responseHeaders.set('x-number', this.number.toString() + ' ' + (address === null ? '' : address.toString()));
    responseHeaders.remove('content-length');
    return Action.Continue;
  }

  onResponseBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    responseBody.append(now().toString());
    return Action.Continue;
  }
}

registerRoot(new Root());
`);
}

/** A filter, compiled. */
export async function compile(source: string): Promise<Uint8Array> {
  const baseDir = mkdtempSync(join(tmpdir(), 'weir-guard-'));
  writeFileSync(join(baseDir, 'index.ts'), source);
  const { binary, messages } = await compileFilter({ entry: join(baseDir, 'index.ts'), baseDir });
  if (binary === null) throw new Error(messages);
  return binary;
}

export const KEY = 'k3y-of-ann-0123456789';

export interface ChainOptions {
  readonly port: number;
  readonly upstreamPort: number;
  readonly authzPort: number;
}

/** api-key, rate-limit, headers, and the filter above from guard.wasm. */
export function guardedChain({ port, upstreamPort, authzPort }: ChainOptions): string {
  return `${edge({ port, upstreamPort, upstream: 'origin', namespace: 'shop' })}---
apiVersion: policy.weir/v1alpha1
kind: Upstream
metadata: {name: authz, namespace: shop}
spec:
  endpoints: {static: [{address: 127.0.0.1, port: ${authzPort}}]}
---
apiVersion: policy.weir/v1alpha1
kind: Module
metadata: {name: guard, namespace: shop}
spec:
  source: {file: guard.wasm}
---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: chain, namespace: shop}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - name: key
    use: api-key
    config:
      from: [{header: x-api-key}]
      keys: [{name: ann, sha256: ${sha256Of(Buffer.from(KEY))}}]
  - name: limit
    use: rate-limit
    config:
      limit: {requests: 5000, per: 1s}
      scope: node
  - name: shape
    use: headers
    config:
      request: {set: {x-path: "\${request.path}"}}
      response: {set: {x-shaped: "yes"}}
  - name: guard
    use: module/guard
    callouts: [{name: authz}]
`;
}
