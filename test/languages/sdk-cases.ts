/** What weir's own SDK has beyond the ABI, in roles of their own (test/plugins/README.md). They hold for every host. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect } from 'vitest';
import { chunkedReply, delayed, reply } from '../support/fake-upstream.ts';
import { values } from '../support/message.ts';
import { getRequest, postRequest } from '../support/raw-client.ts';
import type { Case } from './cases.ts';
import type { Seen } from './subject.ts';

const HOST = 'plugin.test';
const get = (path: string, ...fields: string[]): string => getRequest(path, HOST, ...fields);

function keyTexts({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): string[] {
  return [
    privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  ];
}

const KEYS = [
  ...keyTexts(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  ...keyTexts(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
].join(',');

const TEXT = {
  request: {
    'x-line': '${request.method} ${request.path} ${request.url_path} ${request.query} $$ ${request.host}',
    'x-from': '${source.address} ${request.scheme} ${request.headers.x-given} ${request.headers.x-not-there}',
  },
  response: { 'X-Code': '${response.code}', 'x-protocol': '${request.protocol}', 'x-plain': 'plain' },
  free: { one: 'text', two: [null, true, 1.5, 'déjà'] },
};

export const SDK_CONFIGURATIONS: readonly string[] = [
  'tcp-held',
  'waits',
  'callbacks',
  'counters',
  'state',
  `signatures ${KEYS}`,
  'messages',
  `text ${JSON.stringify(TEXT)}`,
  'root',
];

/** What the only request upstream had in some fields. */
function sent(seen: Seen, ...names: string[]): Record<string, string> {
  expect(seen.answer.status).toBe(200);
  expect(seen.upstream).toHaveLength(1);
  return Object.fromEntries(names.map((name) => [name, values(seen.upstream[0]!.fields, name).join(' | ')]));
}

const waits: Case[] = [
  {
    name: 'waits for times',
    role: 'waits',
    send: get('/sleep'),
    expect: (seen) => expect(sent(seen, 'x-slept')).toEqual({ 'x-slept': 'true' }),
  },
  {
    name: 'waits for several calls, one of which cannot be made',
    role: 'waits',
    send: get('/all'),
    authz: chunkedReply(['body'], [['x-end', 'last']], [['x-name', 'authz']]),
    expect: (seen) => {
      expect(sent(seen, 'x-all')['x-all']).toBe('authz/last authz/last authz/last refused');
      expect(seen.authz.map(({ target }) => target).sort()).toEqual(['/0', '/1', '/2']);
    },
  },
  {
    name: 'waits for the first of several',
    role: 'waits',
    send: get('/any'),
    authz: delayed(1000, reply(200)),
    expect: (seen) => expect(sent(seen, 'x-first')).toEqual({ 'x-first': 'sleep' }),
  },
  ...[1, 0].map((left): Case => ({
    name: `waits for a limit: ${left} left`,
    role: 'waits',
    send: get('/limit'),
    expect: (seen) =>
      expect(sent(seen, 'x-left', 'x-times')).toEqual({ 'x-left': `${left} of 2`, 'x-times': 'some 0' }),
  })),
  {
    name: 'waits for a limit: over',
    role: 'waits',
    send: get('/limit'),
    expect: ({ answer, upstream }) => {
      expect(upstream).toEqual([]);
      expect([answer.status, answer.text, answer.header('x-times')]).toEqual([429, 'later\n', 'some some']);
    },
  },
  {
    name: 'begins a call with the request and waits for it with the answer',
    role: 'waits',
    send: get('/early'),
    authz: reply(200, [], 'in time'),
    expect: ({ answer }) => expect(answer.headers('x-early')).toEqual(['in time']),
  },
  {
    name: 'waits with a body',
    role: 'waits',
    send: `POST /body HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n`,
    authz: reply(200, [], 'more'),
    expect: (seen) => expect(seen.upstream.map(({ body }) => body)).toEqual(['some more']),
  },
  {
    name: 'waits with trailers',
    role: 'waits',
    send: `POST /trailers HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-in: 1\r\n\r\n`,
    authz: reply(200, [], 'yes'),
    expect: (seen) => {
      expect(seen.upstream.map(({ body }) => body)).toEqual(['ab']);
      expect(values(seen.upstream[0]!.trailers, 'x-asked')).toEqual(['yes']);
    },
  },
];

const callbacks: Case[] = [
  ...['token bucket, over all workers', 'GCRA', 'token bucket, of one worker'].flatMap((name, i): Case[] => {
    const limited = (text: string, check: Case['expect']): Case => ({
      name: `asks a limit: ${name}: ${text}`,
      role: 'callbacks',
      send: get(`/limit${i}`),
      awaits: [`asked for /limit${i}`],
      expect: check,
    });
    const left =
      (text: string): Case['expect'] =>
      (seen) =>
        expect(sent(seen, 'x-left')).toEqual({ 'x-left': text });
    const over: Case['expect'] = ({ answer }) => {
      expect([answer.status, answer.header('x-retry'), answer.header('x-reset')]).toEqual([
        429,
        'yes',
        'yes',
      ]);
    };
    // Spaced out evenly, one at a time.
    if (i === 1) return [limited('the first', left('0 of 1')), limited('over', over)];
    return [limited('the first', left('1 of 2')), limited('the last', left('0 of 2')), limited('over', over)];
  }),
  ...(
    [
      ['of two and one that counts what is under way', '/togetherfo', '2 of 3'],
      ['one of which is over, so that none is charged', '/togetherf', null],
      ['what is under way was given back', '/togethero', null],
      ['the first has one left', '/together', '0 of 3'],
    ] as const
  ).map(([name, path, left]): Case => ({
    name: `asks limits together: ${name}`,
    role: 'callbacks',
    send: get(path),
    awaits: [`asked for ${path}`],
    expect: (seen) => {
      if (left !== null) expect(sent(seen, 'x-left')).toEqual({ 'x-left': left });
      else expect([seen.answer.status, path]).toEqual([path === '/togetherf' ? 429 : 200, path]);
    },
  })),
  {
    name: 'holds an answer for a call, and hears its head and trailers',
    role: 'callbacks',
    send: get('/'),
    upstream: reply(200, [['x-ask', '1']], 'kept'),
    authz: chunkedReply(['a', 'b'], [['x-end', 'last']], [['content-type', 'text/x']]),
    awaits: ['asked for /'],
    expect: ({ answer, authz }) => {
      expect(authz).toHaveLength(1);
      expect(answer.text).toBe('kept');
      const told = ['x-trailers', 'x-end', 'x-type'].map((name) => answer.header(name));
      expect(told).toEqual(['1', 'last', 'text/x']);
    },
  },
];

const kept: Case[] = [
  {
    name: 'counts, changes and keeps shared data',
    role: 'counters',
    send: get('/counter'),
    expect: (seen) =>
      expect(sent(seen, 'x-counted', 'x-changed', 'x-kept', 'x-weir-alone')).toEqual({
        'x-counted': '5 3',
        'x-changed': 'true,true xa',
        'x-kept': 'true,true',
        'x-weir-alone': 'kept true,false',
      }),
  },
  {
    name: 'goes on counting',
    role: 'counters',
    send: get('/counter'),
    expect: (seen) => expect(sent(seen, 'x-counted')).toEqual({ 'x-counted': '8 6' }),
  },
];

const beyond: Case[] = [
  {
    name: 'evaluates expressions, declares properties, sets filter state',
    role: 'state',
    send: get('/some?path'),
    expect: (seen) => {
      const names = [
        'x-valid',
        'x-holds',
        'x-path',
        'x-number',
        'x-once',
        'x-always',
        'x-declared',
        'x-state',
      ];
      expect(sent(seen, ...names, 'x-metadata')).toEqual({
        'x-valid': 'true,true,false,true,true',
        'x-holds': 'true,false,false',
        'x-path': '/some?path!',
        'x-number': '10',
        'x-once': 'true,false',
        'x-always': 'true,true',
        'x-declared': 'ab',
        'x-state': 'true true',
        'x-metadata': 'true',
      });
      expect(seen.answer.header('x-state')).toBe('kept');
      expect(seen.answer.header('x-metadata')).toBe('value');
    },
  },
  {
    name: 'makes and checks signatures of RSA and ECDSA',
    role: 'signatures',
    send: get('/', 'X-Text: to be signed'),
    expect: (seen) =>
      expect(sent(seen, 'x-signed', 'x-refused')).toEqual({
        'x-signed': 'true,false,false | true,false,false',
        'x-refused': 'true,true',
      }),
  },
  {
    name: 'calls functions with messages of protobuf',
    role: 'messages',
    send: get('/'),
    expect: (seen) => {
      const names = [
        'x-plain',
        'x-smaller',
        'x-broken',
        'x-unknown',
        'x-not-known',
        'x-by-hand',
        'x-damaged',
      ];
      expect(sent(seen, ...names, 'x-fields')).toEqual({
        'x-plain': 'hello hello hello hello hello hello hello',
        'x-smaller': 'true',
        'x-broken': 'true',
        'x-unknown': 'true',
        'x-not-known': 'true',
        'x-by-hand': 'true',
        'x-damaged': 'true',
        'x-fields': '1=0by-hand 3=1',
      });
    },
  },
];

const text: Case[] = [
  {
    name: 'fills in templates, walks over fields, looks at bytes',
    role: 'text',
    send: get('/a?b=c', 'X-Given:  given', 'X-Given-2: four'),
    expect: (seen) => {
      expect(sent(seen, 'x-line', 'x-from', 'x-free', 'x-fields', 'x-bytes')).toEqual({
        'x-line': 'GET /a?b=c /a b=c $ plugin.test',
        'x-from': '127.0.0.1 http given',
        'x-free': expect.stringMatching(/^5\(/) as string,
        'x-fields': 'given=5 given-2=4 1',
        'x-bytes': 'true true true 3 true true 103 true given!5abcd..',
      });
      const told = ['x-code', 'x-protocol', 'x-plain', 'x-has', 'content-type'];
      expect(told.map((name) => seen.answer.header(name))).toEqual([
        '200',
        'HTTP/1.1',
        'plain',
        'false',
        'text/plain',
      ]);
    },
  },
  ...[
    ['JSON', '{"one": "text", "other": []}', '5(28 0:3(6!) 1:4(2))'],
    ['what is none', '{"one": "text", "one": 1}', 'no JSON'],
  ].map(([name, body, expected]): Case => ({
    name: `reads a body of ${name!}`,
    role: 'text',
    send: postRequest('/', body!, HOST),
    expect: (seen) => expect(seen.upstream.map((one) => one.body)).toEqual([expected]),
  })),
];

const root: Case[] = [
  {
    name: 'hears of a gRPC stream that the root context opened',
    role: 'root',
    send: get('/'),
    awaits: [
      'root has a head true',
      'root heard you said root true',
      'root has trailers true',
      'root has the end true',
    ],
    expect: (seen) => expect(seen.logs).toHaveLength(4),
  },
];

export const SDK_CASES: readonly Case[] = [...waits, ...callbacks, ...kept, ...beyond, ...text, ...root].map(
  (one) => ({ ...one, languages: ['as-weir'] }),
);
