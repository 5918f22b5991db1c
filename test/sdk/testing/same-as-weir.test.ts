// The same exchanges through the test kit and through a proxy with sockets: what the client, the upstream and the
// servers that filters call get is the same, but for what a proxy adds in front of filters and behind them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../../filters-sdk/testing/kit.ts';
import { send } from '../../../filters-sdk/testing/live-client.ts';
import { LiveUpstream } from '../../../filters-sdk/testing/live-upstream.ts';
import type {
  Filter,
  Message,
  ResponseSpec,
  UpstreamRequest,
} from '../../../filters-sdk/testing/testing.d.ts';
import { expandCapabilities } from '../../../src/runtime/wasm/capabilities.ts';
import { DataPlane } from '../../support/data-plane.ts';
import { SUBJECTS, type SeenCall } from './subjects.ts';

let answer: ResponseSpec = {};
let seen: UpstreamRequest | null = null;
let upstream: LiveUpstream;

beforeAll(async () => {
  upstream = await LiveUpstream.start((request) => {
    seen = request;
    return answer;
  });
});
afterAll(() => upstream.close());

describe.each(SUBJECTS)('$name', (subject) => {
  const { name, config, capabilities, bodyWhileHeld = false, calls = {}, cases } = subject;
  const servers: LiveUpstream[] = [];
  const called: SeenCall[] = [];
  let filter: Filter;
  let proxy: URL;

  beforeAll(async () => {
    const bytes = await subject.bytes();
    for (const [to, script] of Object.entries(calls))
      servers.push(
        await LiveUpstream.start((request) => {
          const call = { upstream: to, ...request };
          called.push(call);
          return script(call);
        }),
      );
    filter = await openFilter(bytes, {
      name,
      config,
      bodyWhileHeld,
      ...(capabilities === undefined ? {} : { capabilities }),
      clock: Date.now(),
      upstreams: Object.fromEntries(
        Object.entries(calls).map(([to, script]) => [to, (call) => script(call) ?? { fail: 'no answer' }]),
      ),
    });
    const digest = name;
    const plane = await DataPlane.start(
      {
        rules: [{ chain: 1 }],
        clusters: [upstream, ...servers].map(({ port }) => ({ ports: [port] })),
        modules: [{ name: 'm', digest, source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
        plugins: [
          {
            name,
            configuration: config === undefined ? '' : JSON.stringify(config),
            bodyWhileHeld,
            callouts: Object.keys(calls).map((to, i) => [to, i + 1]),
            ...(capabilities === undefined ? {} : { capabilities: expandCapabilities(capabilities) }),
          },
        ],
        chains: [[], [0]],
      },
      new Map([[digest, bytes]]),
    );
    proxy = new URL(`http://127.0.0.1:${plane.port}`);
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  test.each(cases)('$title', async ({ request = {}, response = {} }) => {
    answer = response;
    seen = null as UpstreamRequest | null;
    called.length = 0;
    const takesTrailers = response.trailers !== undefined || 'te' in (request.headers ?? {});
    const live = await send(proxy, request, takesTrailers);
    const exchange = await filter.exchange({
      request,
      response: { ...response, headers: withEmptyLength(response) },
    });
    // Its ticks come by the clock.
    if (subject.callsByItself === true) await filter.clock.advance(1000);
    else expect(exchange.calls.map(ofCall).sort()).toEqual(called.map(ofCall).sort());
    const { status, headers } = exchange.answer;
    const told = live.message.as({ status: live.status });
    expect({ status, ...parts(exchange.answer), ...without(headers) }).toEqual({
      status: told.status,
      ...parts(told),
      ...without(told.headers),
    });
    expect(exchange.upstream === null).toBe(seen === null);
    if (exchange.upstream === null || seen === null) return;
    const { method, path, authority } = exchange.upstream;
    expect({ method, path, authority, ...parts(exchange.upstream) }).toEqual({
      method: seen.method,
      path: seen.path,
      authority: seen.authority,
      ...parts(seen),
    });
    expect(without(exchange.upstream.headers)).toEqual(without(seen.headers));
  });
});

/** A server says that nothing comes. */
function withEmptyLength({
  status = 200,
  headers = {},
  body,
  trailers,
}: ResponseSpec): Record<string, string> {
  const given = headers as Record<string, string>;
  const empty = body === undefined && trailers === undefined && status !== 204 && status !== 304;
  return empty && given['content-length'] === undefined ? { ...given, 'content-length': '0' } : given;
}

function parts({ bytes, trailers }: Message): object {
  return { body: Buffer.from(bytes).toString('latin1'), trailers };
}

/** As text, since calls that are under way together come in any order. */
function ofCall({ upstream: to, method, path, authority, headers, body }: SeenCall): string {
  return JSON.stringify({ to, method, path, authority, headers: without(headers), body });
}

/** What belongs to one connection, what weir tells the upstream of the client, and how many fields a filter counts. */
const OF_THE_PROXY =
  /^(date|connection|keep-alive|te|trailer|content-length|transfer-encoding|x-forwarded-.*|x-request-id|x-count)$/;

function without(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THE_PROXY.test(name)));
}
