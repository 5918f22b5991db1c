// The same exchanges through the test kit and through a proxy with sockets: what the client and the upstream get is
// the same, but for what a proxy adds in front of filters and behind them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFilter } from '../../../filters-sdk/testing/kit.ts';
import { send } from '../../../filters-sdk/testing/live-client.ts';
import { LiveUpstream } from '../../../filters-sdk/testing/live-upstream.ts';
import type {
  Filter,
  Message,
  RequestSpec,
  ResponseSpec,
  UpstreamRequest,
} from '../../../filters-sdk/testing/testing.d.ts';
import { DataPlane } from '../../support/data-plane.ts';
import { filterBytes } from '../../support/filter.ts';
import { pluginBytes } from '../../support/plugin.ts';

interface Case {
  readonly title: string;
  readonly request?: RequestSpec;
  readonly response?: ResponseSpec;
}

interface Subject {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly config?: unknown;
  readonly capabilities?: readonly string[];
  readonly cases: readonly Case[];
}

const ORIGIN = 'https://shop.test';

const SUBJECTS: readonly Subject[] = [
  {
    name: 'headers',
    bytes: () => filterBytes('headers'),
    config: {
      request: { set: { 'x-set': 'a' }, add: { 'x-many': 'b' }, remove: ['x-gone'] },
      response: { set: { 'x-answer': 'c' }, remove: ['x-secret'] },
    },
    cases: [
      {
        title: 'fields set, added, removed, both ways',
        request: { path: '/a?b=c', headers: { 'X-Many': ['1', '2'], 'x-gone': 'x', 'x-kept': 'é' } },
        response: { status: 404, headers: { 'x-secret': '1', 'x-other': '2' }, body: 'not here' },
      },
      { title: 'an answer without a body', response: { status: 204, headers: { 'x-secret': '1' } } },
      { title: 'HEAD', request: { method: 'HEAD' }, response: { headers: { 'content-length': '5' } } },
    ],
  },
  {
    name: 'cors',
    bytes: () => filterBytes('cors'),
    config: { origins: [ORIGIN], methods: ['GET', 'PUT'], headers: ['x-a'], maxAge: '1h' },
    cases: [
      {
        title: 'a request from the origin',
        request: { headers: { origin: ORIGIN } },
        response: { body: 'ok' },
      },
      { title: 'another origin', request: { headers: { origin: 'https://evil.test' } } },
      {
        title: 'a preflight',
        request: {
          method: 'OPTIONS',
          headers: { origin: ORIGIN, 'access-control-request-method': 'PUT' },
        },
      },
    ],
  },
  {
    name: 'api-key',
    bytes: () => filterBytes('api-key'),
    config: { from: [{ header: 'x-api-key' }], keys: [{ name: 'ann', key: 'secret' }] },
    cases: [
      { title: 'no key', request: { method: 'POST', body: 'hello' } },
      { title: 'a wrong key', request: { headers: { 'x-api-key': 'no' } } },
      { title: 'the key', request: { headers: { 'x-api-key': 'secret' } }, response: { body: 'in' } },
    ],
  },
  {
    name: 'rate-limit',
    bytes: () => filterBytes('rate-limit'),
    config: { limit: { requests: 2, per: '1h' }, scope: 'node' },
    cases: [{ title: 'the first' }, { title: 'the second' }, { title: 'one too many' }],
  },
  {
    name: 'sdk-kit',
    bytes: () => pluginBytes('sdk-kit'),
    cases: [
      {
        title: 'bodies that are changed, whole',
        request: { method: 'POST', path: '/bytes', body: 'hello' },
        response: { body: 'answer' },
      },
      {
        title: 'bodies that are changed, in pieces',
        request: { method: 'POST', path: '/bytes', body: ['hel', 'lo'] },
        response: { body: ['one'] },
      },
      {
        title: 'trailers both ways',
        request: { method: 'POST', path: '/bytes', body: ['hello'], trailers: { 'x-sum': '1' } },
        response: { body: ['answer'], trailers: { 'x-end': '2' } },
      },
      { title: 'a reply of the filter', request: { path: '/reply' } },
      { title: 'a reply to a request with a body', request: { method: 'PUT', path: '/reply', body: 'x' } },
      { title: 'all fields replaced', request: { path: '/replace', headers: { 'x-a': '1' } } },
      { title: 'a trap', request: { path: '/abort', headers: { accept: 'text/plain' } } },
    ],
  },
];

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

describe.each(SUBJECTS)('$name', ({ name, bytes, config, capabilities, cases }) => {
  let filter: Filter;
  let proxy: URL;

  beforeAll(async () => {
    const options = capabilities === undefined ? {} : { capabilities };
    filter = await openFilter(bytes(), { name, config, ...options });
    const digest = name;
    const plane = await DataPlane.start(
      {
        rules: [{ chain: 1 }],
        clusters: [{ ports: [upstream.port] }],
        modules: [{ name: 'm', digest, source: 'test.yaml:1:1', memoryBytes: 16 * 1024 * 1024 }],
        plugins: [{ name, configuration: config === undefined ? '' : JSON.stringify(config), ...options }],
        chains: [[], [0]],
      },
      new Map([[digest, bytes()]]),
    );
    proxy = new URL(`http://127.0.0.1:${plane.port}`);
  });

  test.each(cases)('$title', async ({ request = {}, response = {} }) => {
    answer = response;
    seen = null as UpstreamRequest | null;
    const live = await send(proxy, request, response.trailers !== undefined);
    const exchange = await filter.exchange({
      request,
      response: { ...response, headers: withEmptyLength(response) },
    });
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

function parts({ body, trailers }: Message): object {
  return { body, trailers };
}

/** What belongs to one connection, what weir tells the upstream of the client, and how many fields a filter counts. */
const OF_THE_PROXY =
  /^(date|connection|keep-alive|te|trailer|content-length|transfer-encoding|x-forwarded-.*|x-request-id|x-count)$/;

function without(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THE_PROXY.test(name)));
}
