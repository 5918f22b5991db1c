/**
 * What the test plugin does in each role (test/plugins/README.md), as exchanges and what must be seen of them.
 * They hold for every language and every host.
 */
import { expect } from 'vitest';
import { chunkedReply, delayed, hang, reply, cutAfter } from '../support/fake-upstream.ts';
import type { Fields } from '../support/message.ts';
import { values } from '../support/message.ts';
import { getRequest, postRequest } from '../support/raw-client.ts';
import type { Language } from './build.ts';
import { SDK_CASES, SDK_CONFIGURATIONS } from './sdk-cases.ts';
import type { Exchange, Seen } from './subject.ts';

export interface Case extends Exchange {
  readonly name: string;
  readonly expect: (seen: Seen, language: Language) => void;
  /** Default: all. Not every SDK has everything. */
  readonly languages?: readonly Language[];
}

/** A configuration for each role; the role is its first word. */
const CONFIGURATIONS: readonly string[] = [
  'headers',
  'typical',
  'reply',
  'trailers',
  'body',
  'scan',
  'auth',
  'dispatches',
  'grpc',
  'grpc-stream',
  'tcp',
  'tick',
  'metrics',
  'shared',
  'queue',
  'properties',
  'logs',
  'foreign',
  'clock',
  'config {"text": "déjà vu", "list": [1, 2]}',
];

export function configurationsOf(language: Language): readonly string[] {
  return language === 'as-weir' ? [...CONFIGURATIONS, ...SDK_CONFIGURATIONS] : CONFIGURATIONS;
}

export const VM_CONFIGURATION = 'for the whole VM';

const HOST = 'plugin.test';
const SECRET = 'keep this secret to yourself';
const REDACTED = `Original message body (${SECRET.length} bytes) redacted.\n`;

function get(path: string, ...fields: string[]): string {
  return getRequest(path, HOST, ...fields);
}

function post(body: string, ...fields: string[]): Buffer {
  return postRequest('/', body, HOST, ...fields);
}

function postChunks(
  chunks: readonly string[],
  trailers: readonly string[] = [],
  ...fields: string[]
): string {
  const head = ['POST / HTTP/1.1', `Host: ${HOST}`, 'Transfer-Encoding: chunked', ...fields, '', ''];
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return `${head.join('\r\n')}${body}0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`;
}

/** What the only request upstream had in a field. */
function sent(seen: Seen, name: string): string[] {
  expect(seen.upstream).toHaveLength(1);
  return values(seen.upstream[0]!.fields, name);
}

function field(fields: Fields, name: string): string[] {
  return values(fields, name);
}

function bodyUpstream(seen: Seen): string {
  expect(seen.answer.status).toBe(200);
  expect(seen.upstream).toHaveLength(1);
  return seen.upstream[0]!.body;
}

const headers: Case[] = [
  {
    name: 'adds, replaces and removes fields of a request and its answer',
    role: 'headers',
    send: get('/old/x?q=1', 'X-In: given', 'X-Remove: gone', 'X-Double: 1', 'X-Double: 2'),
    awaits: ['done /new/x?q=1 200'],
    expect: (seen, language) => {
      expect(seen.upstream[0]!.target).toBe('/new/x?q=1');
      expect(sent(seen, 'x-plugin')).toEqual([language]);
      expect(sent(seen, 'x-many')).toEqual(['a', 'b']);
      expect(sent(seen, 'x-remove')).toEqual([]);
      expect(sent(seen, 'x-echo')).toEqual(['given']);
      expect(sent(seen, 'x-double-count')).toEqual(['2']);
      expect(sent(seen, 'x-double')).toEqual(['1', '2']);
      expect(seen.answer.status).toBe(200);
      expect(seen.answer.headers('x-response')).toEqual([language]);
      expect(seen.answer.headers('x-internal')).toEqual([]);
      expect(seen.answer.text).toBe('ok\n');
    },
  },
  {
    name: 'tells a field that is missing',
    role: 'headers',
    send: get('/'),
    awaits: ['done / 200'],
    expect: (seen) => expect(sent(seen, 'x-echo')).toEqual(['none']),
  },
  {
    name: 'changes the status of an answer',
    role: 'headers',
    send: get('/tea'),
    upstream: reply(200, [['x-want-status', '418']], 'short and stout'),
    awaits: ['done /tea 418'],
    expect: (seen) => {
      expect(seen.answer.status).toBe(418);
      expect(seen.answer.text).toBe('short and stout');
    },
  },
  {
    name: 'changes the status of an answer to one without a body',
    role: 'headers',
    send: get('/gone'),
    upstream: reply(200, [['x-want-status', '204']], 'not to be sent'),
    awaits: ['done /gone 204'],
    expect: ({ answer }) => {
      expect(answer.status).toBe(204);
      expect(answer.headers('content-length')).toEqual([]);
      expect(answer.framing).toBe('none');
    },
  },
  {
    name: 'answers in the place of the upstream, and sees its own answer',
    role: 'headers',
    send: get('/hello'),
    awaits: ['done /hello 200'],
    expect: (seen, language) => {
      expect(seen.upstream).toEqual([]);
      expect(seen.answer.status).toBe(200);
      expect(seen.answer.text).toBe('Hello, World!\n');
      expect(seen.answer.header('hello')).toBe('World');
      expect(seen.answer.header('powered-by')).toBe('proxy-wasm');
      expect(seen.answer.header('x-response')).toBe(language);
    },
  },
];

const typical: Case[] = [
  {
    name: 'reads three fields and sets one',
    role: 'typical',
    send: get('/', 'User-Agent: four', 'Accept: */*', 'X-Length: 99'),
    // Cookie is not shown to plugins without the capability for secrets.
    expect: (seen) => expect(sent(seen, 'x-length')).toEqual(['7']),
  },
];

const replies: Case[] = [
  ...[201, 302, 401, 429, 503].map((status): Case => ({
    name: `answers ${status} by itself`,
    role: 'reply',
    send: get('/', `X-Reply: ${status}`),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(status);
      expect(answer.header('x-reason')).toBe('asked');
      expect(answer.text).toBe(`replied ${status}\n`);
    },
  })),
  {
    name: 'answers 204 by itself, without a body',
    role: 'reply',
    send: get('/', 'X-Reply: 204'),
    expect: ({ answer }) => {
      expect(answer.status).toBe(204);
      expect(answer.headers('content-length')).toEqual([]);
    },
  },
  {
    name: 'answers a request that has a body',
    role: 'reply',
    send: post('unread', 'X-Reply: 401'),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(401);
    },
  },
  {
    name: 'answers a gRPC request with a gRPC status',
    role: 'reply',
    send: get('/', 'X-Grpc: 0', 'Content-Type: application/grpc', 'TE: trailers'),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(200);
      expect(answer.header('grpc-status')).toBe('10');
      expect(answer.header('grpc-message')).toBe('aborted, not 0');
      expect(answer.text).toBe('');
    },
  },
  {
    name: 'replaces an answer that is on its way',
    role: 'reply',
    send: get('/'),
    upstream: reply(200, [['x-bad', '1']], 'not to be seen'),
    expect: ({ answer, upstream }) => {
      expect(upstream).toHaveLength(1);
      expect(answer.status).toBe(502);
      expect(answer.header('x-reason')).toBe('bad');
      expect(answer.text).toBe('replaced\n');
    },
  },
];

const trailers: Case[] = [
  {
    name: 'reads and adds trailers of a request',
    role: 'trailers',
    send: postChunks(['some', ' body'], ['x-in: given']),
    expect: (seen) => {
      expect(bodyUpstream(seen)).toBe('some body');
      expect(field(seen.upstream[0]!.trailers, 'x-in')).toEqual(['given']);
      expect(field(seen.upstream[0]!.trailers, 'x-seen')).toEqual(['given']);
    },
  },
  {
    name: 'changes trailers of an answer',
    role: 'trailers',
    send: get('/', 'TE: trailers'),
    upstream: chunkedReply(
      ['in ', 'pieces'],
      [
        ['x-drop', '1'],
        ['x-keep', '2'],
      ],
    ),
    expect: ({ answer }, language) => {
      expect(answer.text).toBe('in pieces');
      expect(field(answer.trailers, 'x-drop')).toEqual([]);
      expect(field(answer.trailers, 'x-keep')).toEqual(['2']);
      expect(field(answer.trailers, 'x-response-trailer')).toEqual([language]);
    },
  },
];

const big = 'x'.repeat(300_000);

const bodies: Case[] = [
  {
    name: 'appends to the body of a request',
    role: 'body',
    send: post('begun', 'X-Body: append'),
    expect: (seen) => expect(bodyUpstream(seen)).toBe('begun[end]'),
  },
  {
    name: 'prepends to the body of a request',
    role: 'body',
    send: post('finished', 'X-Body: prepend'),
    expect: (seen) => expect(bodyUpstream(seen)).toBe('[begin]finished'),
  },
  {
    name: 'replaces the body of a request',
    role: 'body',
    send: post('a body that is longer than its replacement', 'X-Body: replace'),
    expect: (seen) => expect(bodyUpstream(seen)).toBe('[replaced]'),
  },
  {
    name: 'rewrites a request after having read all of it',
    role: 'body',
    send: postChunks(['keep this sec', 'ret to yourself']),
    expect: (seen) => expect(bodyUpstream(seen)).toBe(REDACTED),
  },
  {
    name: 'leaves other bodies alone, large ones too',
    role: 'body',
    send: post(big),
    upstream: reply(200, [], big),
    expect: (seen) => {
      expect(bodyUpstream(seen) === big).toBe(true);
      expect(seen.answer.text === big).toBe(true);
    },
  },
  {
    name: 'rewrites a large request',
    role: 'body',
    send: post(`${big}secret`),
    expect: (seen) =>
      expect(bodyUpstream(seen)).toBe(`Original message body (${big.length + 6} bytes) redacted.\n`),
  },
  {
    name: 'rewrites an answer with a length',
    role: 'body',
    send: get('/'),
    upstream: reply(200, [], SECRET),
    expect: ({ answer }) => expect(answer.text).toBe(REDACTED),
  },
  {
    name: 'rewrites an answer in chunks',
    role: 'body',
    send: get('/'),
    upstream: chunkedReply(['keep this sec', 'ret to yourself']),
    expect: ({ answer }) => expect(answer.text).toBe(REDACTED),
  },
  {
    name: 'lets an answer without a body pass',
    role: 'body',
    send: get('/'),
    upstream: reply(204),
    expect: ({ answer }) => expect(answer.status).toBe(204),
  },
];

const scans: Case[] = [
  {
    name: 'refuses a request for what is in its body',
    role: 'scan',
    send: post('there is a pattern here'),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(403);
      expect(answer.header('x-scan')).toBe('found');
      expect(answer.text).toBe('pattern at 11\n');
    },
  },
  {
    name: 'finds what two chunks hold together',
    role: 'scan',
    send: postChunks(['there is a pat', 'tern here']),
    expect: ({ answer }) => expect(answer.text).toBe('pattern at 11\n'),
  },
  {
    name: 'admits other bodies as they are',
    role: 'scan',
    send: postChunks(['nothing', ' here']),
    expect: (seen) => expect(bodyUpstream(seen)).toBe('nothing here'),
  },
];

const callouts: Case[] = [
  {
    name: 'admits a request after a callout, with what the callout said',
    role: 'auth',
    send: get('/', 'X-Token: abc'),
    authz: reply(200, [['x-user', 'mira']], 'welcome'),
    expect: (seen) => {
      expect(seen.authz).toHaveLength(1);
      const [{ method, target, fields, body }] = seen.authz as [Seen['authz'][number]];
      expect([method, target, body]).toEqual(['POST', '/check', 'who is it?']);
      expect(field(fields, 'host')).toEqual(['authz']);
      expect(field(fields, 'x-token')).toEqual(['abc']);
      expect(sent(seen, 'x-user')).toEqual(['mira']);
      expect(sent(seen, 'x-call-body')).toEqual(['welcome']);
    },
  },
  {
    name: 'holds the body of a request meanwhile',
    role: 'auth',
    send: post('held back', 'X-Token: abc'),
    authz: delayed(50, reply(200, [['x-user', 'mira']])),
    expect: (seen) => {
      expect(bodyUpstream(seen)).toBe('held back');
      expect(sent(seen, 'x-user')).toEqual(['mira']);
    },
  },
  {
    name: 'refuses a request after a callout',
    role: 'auth',
    send: get('/'),
    authz: reply(401),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(403);
      expect(answer.header('x-auth-status')).toBe('401');
      expect(answer.text).toBe('Access forbidden.\n');
    },
  },
  {
    name: 'learns that a callout took too long',
    role: 'auth',
    send: get('/'),
    authz: async (request, answer) => {
      await request.finish();
      await hang()(request, answer);
    },
    expect: ({ answer }) => {
      expect(answer.status).toBe(403);
      expect(answer.header('x-auth-status')).toBe('504');
    },
  },
  {
    name: 'learns that a callout was cut off',
    role: 'auth',
    send: get('/'),
    authz: cutAfter(0, '', 'reset'),
    expect: ({ answer }) => {
      expect(answer.status).toBe(403);
      expect(answer.header('x-auth-status')).toBe('503');
    },
  },
  {
    name: 'learns that the answer to a callout was cut off',
    role: 'auth',
    send: get('/'),
    authz: cutAfter(50, 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly a part', 'reset'),
    expect: ({ answer }) => {
      expect(answer.status).toBe(403);
      expect(answer.header('x-auth-status')).toBe('none');
    },
  },
  {
    name: 'learns at once that it may not call an upstream',
    role: 'auth',
    send: get('/unknown'),
    expect: ({ answer, upstream, authz }) => {
      expect([upstream, authz]).toEqual([[], []]);
      expect(answer.status).toBe(500);
      expect(answer.text).toBe('dispatch refused\n');
    },
  },
  {
    name: 'holds an answer for three callouts',
    role: 'dispatches',
    send: get('/'),
    expect: ({ answer, authz }) => {
      expect(authz.map(({ target }) => target).sort()).toEqual(['/1', '/2', '/3']);
      expect(answer.header('x-dispatched')).toBe('3');
      expect(answer.text).toBe('ok\n');
    },
  },
];

const WITH_GRPC: readonly Language[] = ['rust', 'c', 'as-weir'];

function grpcFailure(name: string, call: string, code: string, text: string | null): Case {
  return {
    name: `learns of a gRPC call ${name}`,
    role: 'grpc',
    languages: WITH_GRPC,
    send: get('/', `X-Call: ${call}`),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect(answer.status).toBe(403);
      expect(answer.header('x-grpc-code')).toBe(code);
      if (text !== null) expect(answer.header('x-grpc-text')).toBe(text);
    },
  };
}

const grpc: Case[] = [
  {
    name: 'admits a request after a gRPC call, with its reply',
    role: 'grpc',
    languages: WITH_GRPC,
    send: get('/', 'X-Call: Unary hello there'),
    expect: (seen) => expect(sent(seen, 'x-grpc-reply')).toEqual(['echo:hello there']),
  },
  grpcFailure('that failed', 'Fail 7 no', '7', 'no'),
  grpcFailure('that took too long', 'Hang', '4', null),
  grpcFailure('to a method that is not there', 'Nothing', '12', null),
  {
    name: 'talks over a gRPC stream while a request waits',
    role: 'grpc-stream',
    languages: WITH_GRPC,
    send: get('/', 'X-First: one'),
    expect: (seen) => {
      expect(sent(seen, 'x-grpc-heard')).toEqual(['you said one, you said two']);
      expect(sent(seen, 'x-grpc-trailer').join()).toMatch(/^[0-9]+$/);
      expect(sent(seen, 'x-grpc-code')).toEqual(['0']);
    },
  },
  {
    name: 'hears how a gRPC stream was ended',
    role: 'grpc-stream',
    languages: WITH_GRPC,
    send: get('/', 'X-First: fail'),
    expect: (seen) => {
      expect(sent(seen, 'x-grpc-heard')).toEqual(['']);
      expect(sent(seen, 'x-grpc-code')).toEqual(['10']);
    },
  },
];

const state: Case[] = [
  {
    name: 'resumes a request from a tick',
    role: 'tick',
    send: get('/'),
    expect: (seen) => {
      expect(seen.answer.status).toBe(200);
      expect(sent(seen, 'x-resumed-by')).toEqual(['tick']);
    },
  },
  ...[1, 2].map((turn): Case => ({
    name: `counts: request ${turn}`,
    role: 'metrics',
    send: get('/'),
    expect: (seen) => {
      expect(sent(seen, 'x-counter')).toEqual([String(turn)]);
      expect(sent(seen, 'x-gauge')).toEqual([String(2 * turn)]);
    },
  })),
  ...[1, 2].map((turn): Case => ({
    name: `compares and sets shared data: request ${turn}`,
    role: 'shared',
    send: get('/'),
    expect: (seen) => {
      expect(sent(seen, 'x-shared')).toEqual([String(turn)]);
      expect(sent(seen, 'x-stale')).toEqual(['8']);
      expect(sent(seen, 'x-missing')).toEqual(['yes']);
    },
  })),
  {
    name: 'puts an item into a queue and is told of it',
    role: 'queue',
    send: get('/work'),
    awaits: ['job /work'],
    expect: (seen) => expect(sent(seen, 'x-queue')).toEqual(['ok']),
  },
  {
    name: 'took the item out of the queue',
    role: 'queue',
    send: get('/last'),
    expect: ({ answer }) => expect(answer.text).toBe('/work'),
  },
];

const hex = (text: string): string => Buffer.from(text).toString('hex');

function property(path: string, name: string, atRequest: string, atResponse = atRequest): Case {
  return {
    name: `reads ${path}: ${name}`,
    role: 'properties',
    send: get('/some/path?q=1', `X-Property: ${path}`, 'X-Extra: 7', 'Referer: before', 'User-Agent: test'),
    awaits: [`${path} = ${atResponse}`],
    expect: (seen) => {
      expect(sent(seen, 'x-value')).toEqual([atRequest]);
      expect(seen.answer.headers('x-value')).toEqual([atResponse]);
      expect(seen.answer.headers('x-note')).toEqual(['written']);
    },
  };
}

const u64 = (value: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes.toString('hex');
};

const properties: Case[] = [
  property('request.path', 'text', hex('/some/path?q=1')),
  property('request.url_path', 'text', hex('/some/path')),
  property('request.query', 'text', hex('q=1')),
  property('request.host', 'text', hex(HOST)),
  property('request.method', 'text', hex('GET')),
  property('request.scheme', 'text', hex('http')),
  property('request.protocol', 'text', hex('HTTP/1.1')),
  property('request.referer', 'text', hex('before')),
  property('request.useragent', 'text', hex('test')),
  property('request.headers.x-extra', 'text', hex('7')),
  property('request.size', 'a number of 8 bytes', u64(0)),
  property('response.code', 'there with the answer', 'none', u64(200)),
  property('plugin_root_id', 'text', hex('plugin')),
  property('note', 'what the plugin wrote', hex('written')),
  property('no.such.thing', 'not there', 'none'),
];

const host: Case[] = [
  {
    name: 'logs at every level, and what it prints',
    role: 'logs',
    send: get('/'),
    awaits: ['at critical'],
    expect: ({ logs }, language) => {
      const levels = ['trace', 'debug', 'info', 'warn', 'error', 'critical'].map((level) => `at ${level}`);
      const printed = language === 'as-weir' ? [] : [`printed by ${language}`];
      expect(logs.filter((line) => /^(at|printed)/.test(line))).toEqual([...levels, ...printed]);
    },
  },
  {
    name: 'compresses and uncompresses by foreign functions',
    role: 'foreign',
    send: get('/'),
    expect: (seen) => {
      expect(sent(seen, 'x-compress')).toEqual(['ok']);
      expect(sent(seen, 'x-unknown')).toEqual(['1']);
    },
  },
  {
    name: 'has clocks and random numbers',
    role: 'clock',
    send: get('/'),
    expect: (seen, language) => {
      expect(sent(seen, 'x-clock')).toEqual(['ok']);
      // Weir's SDK has no random numbers.
      expect(sent(seen, 'x-random')).toEqual(language === 'as-weir' ? [] : ['ok']);
    },
  },
  {
    name: 'gets its configuration byte for byte',
    role: 'config',
    send: get('/'),
    expect: (seen) => {
      const config = Buffer.from(sent(seen, 'x-config').join(), 'latin1').toString();
      expect(config).toBe('config {"text": "déjà vu", "list": [1, 2]}');
      expect(sent(seen, 'x-vm-config')).toEqual([VM_CONFIGURATION]);
    },
  },
];

export function casesOf(language: Language): (readonly [name: string, one: Case])[] {
  return CASES.filter(({ languages }) => languages?.includes(language) !== false).map((one) => [
    one.name,
    one,
  ]);
}

/** In this order: some depend on what those before them left. */
const CASES: readonly Case[] = [
  ...headers,
  ...typical,
  ...replies,
  ...trailers,
  ...bodies,
  ...scans,
  ...callouts,
  ...grpc,
  ...state,
  ...properties,
  ...host,
  ...SDK_CASES,
];
