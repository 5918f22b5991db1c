import type { PolicyName } from '../policies.ts';
import type { WasmChain } from './wasm.ts';

/** What is asked of each proxy. The upstream answers /1k and /100k with bodies of that size. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  readonly method: 'GET' | 'POST';
  readonly path: '/1k' | '/100k';
  readonly bodyBytes: number;
  readonly connections: number;
  readonly fields: readonly string[];
  /** Length of the answer's body. */
  readonly answerBytes: number;
  /** Which configuration weir runs with: `bench/load/<name>.yaml`. */
  readonly weir: PolicyName;
  /** A chain of one plugin on top of that, the same in Envoy. */
  readonly wasm?: WasmChain;
  /** In the order of the table; the first is what the others are compared with. */
  readonly subjects: readonly SubjectName[];
}

export type SubjectName = 'nginx' | 'nginx-64k' | 'haproxy' | 'undici' | 'envoy' | 'weir';

const KIB = 1024;

// What a browser or an API client sends, so that heads have a usual size.
const FIELDS = [
  'Host: bench.test',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.5',
  'Cookie: session=6f0f1e9a7bd54a3c8b1d; theme=dark',
];

const keepAlive = {
  method: 'GET',
  path: '/1k',
  bodyBytes: 0,
  connections: 64,
  fields: FIELDS,
  answerBytes: KIB,
  weir: 'plain',
  subjects: ['nginx', 'weir', 'haproxy', 'undici'],
} as const;

/** Beside Envoy, with the same module doing the same work. */
function besideEnvoy(name: string, question: string, wasm?: WasmChain): Scenario {
  const chain = wasm === undefined ? {} : { wasm };
  return { ...keepAlive, name, question, subjects: ['envoy', 'weir'], ...chain };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    ...keepAlive,
    name: 'get-1k',
    question: 'What does a small answer cost over kept connections, without filters?',
  },
  {
    ...keepAlive,
    name: 'get-1k-few',
    question:
      'The same with four connections: neither side is saturated, so that each proxy pays for waking the others alike.',
    connections: 4,
  },
  {
    ...keepAlive,
    name: 'chain-3',
    question: 'What do three built-in Wasm filters (api-key, rate-limit, headers) add? The peers run none.',
    fields: [...FIELDS, 'X-Api-Key: bench-key-0123456789abcdef'],
    weir: 'chain-3',
    subjects: ['nginx', 'weir'],
  },
  {
    ...keepAlive,
    name: 'post-1k',
    question: 'What does a small request body add?',
    method: 'POST',
    bodyBytes: KIB,
  },
  {
    ...keepAlive,
    name: 'get-100k',
    question: 'What does moving bytes cost?',
    path: '/100k',
    answerBytes: 100 * KIB,
    subjects: ['nginx', 'nginx-64k', 'weir', 'haproxy', 'undici'],
  },
  {
    ...keepAlive,
    name: 'connect-1k',
    question: 'What does a connection for each request cost?',
    fields: [...FIELDS, 'Connection: close'],
  },
  besideEnvoy('wasm-0', 'What does a request cost in weir and in Envoy without filters?'),
  besideEnvoy('wasm-1', 'What does a filter in Rust add that reads three fields and sets one?', {
    language: 'rust',
    filters: 1,
  }),
  besideEnvoy('wasm-3', 'And three of them?', { language: 'rust', filters: 3 }),
  besideEnvoy('wasm-10', 'And ten of them?', { language: 'rust', filters: 10 }),
  besideEnvoy('wasm-10-sdk', "And ten that are written with weir's SDK?", {
    language: 'as-weir',
    filters: 10,
  }),
];
