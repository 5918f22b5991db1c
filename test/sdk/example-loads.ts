import { generateKeyPairSync, sign } from 'node:crypto';
import type { Load } from '../support/example-load.ts';

const json: Load['answer'] = [['content-type', 'application/json']];

const PARTNER = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** What each example of a filter is put through when its memory is looked at: its whole work, and a little of everything. */
export const EXAMPLE_LOADS: Readonly<Record<string, Load>> = {
  'security-headers': { answer: [['server', 'x']] },
  canary: { config: { permille: 300 }, request: (turn) => [['x-user', `user-${turn % 5000}`]] },
  maintenance: { config: { open: ['/health'] }, request: (turn) => [[':path', turn % 2 ? '/health' : '/']] },
  'redact-json': {
    config: { members: ['password'] },
    answer: json,
    answerBody: ['{"user":"ann","pass', 'word":"secret"}'],
  },
  'replace-text': {
    config: { find: 'abab', replacement: '[x]' },
    answer: [['content-type', 'text/html']],
    answerBody: ['one aba', 'b two ', 'three'],
  },
  redirects: {
    config: { redirects: [{ from: '/old', to: '/new' }] },
    request: (turn) => [[':path', turn % 2 ? '/old?a=1' : '/']],
  },
  compress: {
    config: { least: 1 },
    request: [['accept-encoding', 'gzip, deflate']],
    answer: [
      ['content-type', 'text/html'],
      ['content-length', '20'],
      ['etag', '"a"'],
    ],
    answerBody: ['0123456789', '0123456789'],
  },
  'llm-usage': {
    request: [['x-consumer', 'ann']],
    answer: [['content-type', 'text/event-stream']],
    answerBody: ['data: {"usage":{"total_tok', 'ens": 15}}\n\n', 'data: [DONE]\n\n'],
  },
  'trailer-checksum': {
    body: ['1234', '56789'],
    trailers: [['x-crc32', 'cbf43926']],
    answerBody: ['1234', '56789'],
  },
  'token-introspection': {
    config: { upstream: 'auth', header: 'x-token', remember: '5ms' },
    request: (turn) => [['x-token', `Bearer token-${turn % 20_000}`]],
    called: '{"active":true,"sub":"ann"}',
  },
  'grpc-rate-limit': {
    config: { upstream: 'auth', domain: 'app' },
    request: [['x-user', 'ann']],
    grpc: Uint8Array.of(8, 1),
  },
  'signed-webhook': {
    config: { publicKey: PARTNER.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') },
    request: [['x-signature', sign('sha256', Buffer.from('{"a":1}'), PARTNER.privateKey).toString('base64')]],
    body: ['{"a"', ':1}'],
    oneOf: 10,
  },
  enrich: {
    config: { users: 'auth', plans: 'auth' },
    request: (turn) => [['x-user', `user ${turn % 5000}`]],
    calledFields: [
      ['x-name', 'ann'],
      ['x-plan', 'paid'],
    ],
    called: '',
  },
  'cel-rules': {
    config: {
      rules: [
        { name: 'no_writes', when: 'request.method != "GET" && request.path.startsWith("/fixed")' },
        { name: 'no_robots', when: 'request.useragent.contains("robot")' },
      ],
    },
    properties: { 'request.method': 'POST', 'request.path': '/fixed', 'request.useragent': 'a person' },
  },
  'deny-list': {
    config: { upstream: 'auth', every: '100ms' },
    request: (turn) => [['x-user', turn % 2 ? 'ann' : 'eve']],
    called: 'eve\nmallory\n',
  },
  'client-info': {},
  'cache-key': {
    config: { ignore: ['utm_'], vary: ['accept-language'] },
    request: [[':path', '/a?b=2&utm_source=x&a=1']],
  },
  'tiered-limit': {
    config: { tiers: [{ name: 'free', requests: 60 }] },
    request: (turn) => [['x-consumer', `c${turn % 500}`]],
  },
  'in-flight': { config: { most: 10 }, request: (turn) => [['x-tenant', `t${turn % 50}`]] },
  'request-journal': { config: { role: 'write' }, beside: { role: 'send', upstream: 'auth' } },
  'route-metrics': { answerBody: ['one', 'two'] },
  'slow-log': { config: { slowerThan: '1ms' } },
  'connection-quota': { config: { bytes: 12 }, tcp: ['1234', '5678'] },
};
