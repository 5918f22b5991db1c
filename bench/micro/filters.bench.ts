// Question: what does a built-in filter cost a request, whole life of its stream context included?
// Fixture: a request of 14 fields and an answer of 7, in the real host. Laying the messages down is the first
// line, to be taken off the others. Report: ns and bytes allocated. Aim: the chain of three under 8 µs.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { strictEqual } from 'node:assert';
import { bench, run } from 'mitata';
import { BodyBuffer } from '../../src/runtime/http/body.ts';
import { HeaderBlock } from '../../src/runtime/http/headers.ts';
import { LocalLedger } from '../../src/runtime/ledger.ts';
import type { Plugin } from '../../src/runtime/wasm/plugin.ts';
import type { AttributeValue, StateValue, StreamHost } from '../../src/runtime/wasm/stream-host.ts';
import { startBuiltIn } from '../../test/support/filter.ts';
import { BareHost } from '../../test/support/bare-host.ts';
import { BareStream } from '../../test/support/bare-stream.ts';

const REQUEST: [string, string][] = [
  [':path', '/v1/cart?item=4711'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'],
  ['accept', 'application/json, text/plain, */*'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['accept-language', 'en-GB,en;q=0.9,de;q=0.8'],
  ['cookie', 'session=0b3f5f1e7a6b4d0c9e8f7a6b5c4d3e2f; theme=dark'],
  ['x-api-key', 'acme_7f3b0b9d2c1e4f5a6b7c8d9e0f1a2b3c'],
  ['x-forwarded-for', '192.0.2.17'],
  ['x-forwarded-proto', 'https'],
  ['x-request-id', '3d8c1c5e-8d0f-4b43-9d0a-1b2f0c7f9d11'],
  ['origin', 'https://app.example.com'],
];
const RESPONSE: [string, string][] = [
  [':status', '200'],
  ['server', 'upstream/1.0'],
  ['date', 'Tue, 24 Nov 2026 07:00:00 GMT'],
  ['content-type', 'application/json'],
  ['content-length', '1024'],
  ['cache-control', 'no-store'],
  ['etag', '"33a64df5"'],
];

const arrays = new BareStream();
const request = arrays.request(REQUEST);

const response = arrays.response(RESPONSE);

/** Two blocks and a map, as the runtime has them, and nothing that a test would record. */
class BenchStream {
  readonly protocol = 'http';
  readonly blocks = [new HeaderBlock(), null, new HeaderBlock(), null];
  consumer: StateValue | undefined = undefined;
  /** The body of the request, all of it. */
  sent: BodyBuffer | null = null;
  /** As api-key leaves it, for filters behind it that run alone. */
  usual: StateValue | undefined = undefined;

  reset(head = request): void {
    this.blocks[0]!.copyFrom(head);
    this.blocks[2]!.copyFrom(response);
    this.consumer = this.usual;
  }
  headerMap(type: number): HeaderBlock | null {
    return this.blocks[type]!;
  }
  mayWriteMap(): boolean {
    return true;
  }
  attribute(path: string): AttributeValue | undefined {
    return path === 'source\0address' ? SOURCE : undefined;
  }
  state(key: string): StateValue | undefined {
    return key === 'wasm.consumer.name' ? this.consumer : undefined;
  }
  setState(key: string, value: StateValue): boolean {
    if (key === 'wasm.consumer.name') this.consumer = value;
    return true;
  }
  body(): BodyBuffer | null {
    return this.sent;
  }
  localReply(): void {
    throw new Error('the request was refused');
  }
}
const SOURCE: AttributeValue = { type: 'string', value: '192.0.2.17:51234' };

const stream = new BenchStream();
const asHost = stream as unknown as StreamHost;

/** As the chain does: requests forwards, answers backwards. */
function pass(chain: readonly Plugin[], head = request): void {
  stream.reset(head);
  const contexts = chain.map((plugin) => plugin.createContext(asHost)!);
  for (const context of contexts) context.onRequestHeaders(14, true);
  for (const context of contexts.reverse()) context.onResponseHeaders(7, false);
  for (const context of contexts) context.finish();
}

const keyOf = (i: number): string => `acme_${createHash('md5').update(String(i)).digest('hex')}`;

const ledger = new LocalLedger();
const start = (name: string, config: object): Promise<Plugin> =>
  startBuiltIn(name, config, new BareHost({ ledger }));

const apiKey = await start('api-key', {
  from: [{ header: 'x-api-key' }],
  keys: [
    {
      name: 'acme',
      sha256: createHash('sha256').update('acme_7f3b0b9d2c1e4f5a6b7c8d9e0f1a2b3c').digest('hex'),
    },
  ],
  consumerHeader: 'x-consumer',
});
const manyKeys = await start('api-key', {
  from: [{ header: 'x-api-key' }],
  keys: Array.from({ length: 10_000 }, (_, i) => ({
    name: `consumer-${i}`,
    plan: 'gold',
    labels: { app: 'checkout' },
    sha256: createHash('sha256').update(keyOf(i)).digest('hex'),
  })),
  consumerHeader: 'x-consumer',
});
/** More than the filter remembers, so that most of them are hashed. */
const requestsOfMany = Array.from({ length: 1000 }, (_, i) =>
  new BareStream().request(
    REQUEST.map(([name, value]) => [name, name === 'x-api-key' ? keyOf(10 * i) : value]),
  ),
);
const rateLimit = await start('rate-limit', {
  key: ['consumer.name'],
  limit: { requests: 1_000_000, per: '1ms' },
});
const byAddress = await start('rate-limit', {
  key: ['source.address'],
  limit: { requests: 1_000_000, per: '1ms' },
  headers: false,
});
const severalLimits = await start('rate-limit', {
  limits: [
    { name: 'second', key: ['consumer.name'], limit: { requests: 1_000_000, per: '1ms' } },
    { name: 'day', limit: { requests: 1_000_000_000, per: '1h', algorithm: 'fixed-window' } },
    { name: 'busy', limit: { requests: 100, algorithm: 'concurrency' } },
  ],
});
/** Its ledger is in this process: what a message to the supervisor or to a Store adds is in quota.bench.ts. */
const quota = await start('quota', {
  key: ['consumer.name'],
  quotas: [
    { name: 'month', limit: 1_000_000_000_000, soft: '80%' },
    { name: 'day', limit: 1_000_000_000_000, window: 'day' },
  ],
});
const headers = await start('headers', {
  request: { set: { 'x-team': 'payments' }, remove: ['x-internal'] },
  response: { remove: ['server'] },
});
const variables = await start('headers', {
  request: { set: { 'x-from': '${source.address} ${request.method} ${request.path}' } },
});
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = `${part({ alg: 'ES256' })}.${part({ iss: 'https://id.test', sub: 'u1', aud: 'shop', exp: 9e9 })}`;
const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
const withToken = new BareStream().request([
  ...REQUEST,
  ['authorization', `Bearer ${signed}.${signature.toString('base64url')}`],
]);
const jwt = await start('jwt', {
  providers: [
    {
      name: 'id',
      issuer: 'https://id.test',
      audiences: ['shop'],
      jwks: { keys: [publicKey.export({ format: 'jwk' })] },
      claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
      consumerClaim: 'sub',
    },
  ],
});
/** A rule for each of 100 paths, the one that matches among them. */
const accessRules = Array.from({ length: 100 }, (_, i) => ({
  name: `r${i}`,
  from: [{ consumers: ['acme', 'other'] }],
  to: [{ methods: ['GET'], paths: [{ type: 'PathPrefix', value: i === 57 ? '/v1' : `/service-${i}` }] }],
}));
const access = await start('access', {
  policies: [{ name: 'AccessPolicy/shop/all', action: 'ALLOW', rules: accessRules }],
});
const accessAnywhere = await start('access', {
  policies: [
    {
      name: 'AccessPolicy/shop/none',
      action: 'DENY',
      rules: accessRules.map(({ name }, i) => ({ name, from: [{ consumers: [`nobody-${i}`] }] })),
    },
  ],
});
const accessHosts = await start('access', {
  policies: [
    {
      name: 'AccessPolicy/shop/none',
      action: 'DENY',
      rules: accessRules.map(({ name }, i) => ({ name, to: [{ hosts: [`host-${i}.example.com`] }] })),
    },
  ],
});
const accessFields = await start('access', {
  policies: [
    {
      name: 'AccessPolicy/shop/none',
      action: 'DENY',
      rules: accessRules.map(({ name }, i) => ({
        name,
        to: [{ methods: ['GET'] }],
        when: [{ header: 'x-tenant', values: [`tenant-${i}`] }],
      })),
    },
  ],
});
const accessBlocks = await start('access', {
  policies: [
    {
      name: 'AccessPolicy/shop/none',
      action: 'DENY',
      rules: accessRules.map(({ name }, i) => ({ name, from: [{ remoteIpBlocks: [`10.${i}.0.0/16`] }] })),
    },
  ],
});
const cors = await start('cors', { origins: ['https://app.example.com'], credentials: true });

pass([jwt], withToken);
strictEqual(stream.blocks[0]!.get('x-user'), 'u1');
pass([manyKeys], requestsOfMany[7]!);
strictEqual(stream.blocks[0]!.get('x-consumer'), 'consumer-70');
pass([apiKey, rateLimit, headers]);
strictEqual(stream.blocks[0]!.get('x-consumer'), 'acme');
strictEqual(stream.blocks[0]!.get('x-team'), 'payments');
strictEqual(stream.blocks[2]!.get('server'), undefined);
strictEqual(stream.blocks[2]!.get('ratelimit-policy'), '"default";q=1000000');

stream.usual = stream.consumer;
pass([quota]);
strictEqual(stream.blocks[2]!.get('ratelimit-policy')?.startsWith('"month";q=1000000000000;w='), true);

/** What a shop sends: 1 KiB, two levels deep. */
const ORDER = new BodyBuffer();
const order = Buffer.from(
  JSON.stringify({
    item: 'green tea',
    count: 3,
    gift: false,
    buyer: { name: 'Mira', email: 'mira@example.com', id: '0f9d1c5e-8d0f-4b43-9d0a-1b2f0c7f9d11' },
    tags: Array.from({ length: 10 }, (_, i) => `tag-${i}`),
    ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`note${i}`, 'n'.repeat(50)])),
  }),
);
ORDER.append(order, 0, order.length);
const validate = await start('validate', {
  body: { maxBytes: 10_000 },
  rules: [
    {
      path: '/v1/cart',
      schema: {
        type: 'object',
        required: ['item', 'count'],
        properties: {
          item: { type: 'string', pattern: '^[a-z ]+$' },
          count: { type: 'integer', minimum: 1, maximum: 99 },
          gift: { type: 'boolean' },
          buyer: {
            type: 'object',
            required: ['email'],
            properties: { email: { format: 'email' }, id: { format: 'uuid' } },
          },
          tags: { type: 'array', uniqueItems: true, items: { type: 'string', maxLength: 20 } },
        },
      },
    },
  ],
});
const graphql = await start('graphql', { body: { maxBytes: 10_000 }, costs: { fields: { search: 10 } } });
const OPERATION = new BodyBuffer();
const operation = Buffer.from(
  JSON.stringify({
    query:
      'query Cart($n: Int = 10) { cart { id items(first: $n) { ...Item } total { amount currency } } search(first: 5) { ...Item } }\n' +
      'fragment Item on Product { id title price { amount currency } image(width: 200) { url alt: caption } }',
    variables: { n: 20 },
  }),
);
OPERATION.append(operation, 0, operation.length);
const toGraphql = new BareStream().request([
  ...REQUEST.map(([name, value]): [string, string] => [name, name === ':path' ? '/graphql' : value]),
  [':method', 'POST'],
  ['content-type', 'application/json'],
]);
const withBody = new BareStream().request([...REQUEST, ['content-type', 'application/json']]);

const waf = await start('waf', {});
const wafBodies = await start('waf', { body: {} });
const smallGet = new BareStream().request([
  [':path', '/v1/cart?item=4711'],
  ['user-agent', 'curl/8.5.0'],
  ['accept', '*/*'],
]);
const TWO_ORDERS = new BodyBuffer();
const twoOrders = Buffer.from(`[${order.toString()},${order.toString()}]`);
TWO_ORDERS.append(twoOrders, 0, twoOrders.length);

function passBody(plugin: Plugin, body: BodyBuffer, head: typeof request): void {
  stream.reset(head);
  stream.sent = body;
  const context = plugin.createContext(asHost)!;
  context.onRequestHeaders(15, false);
  context.onRequestBody(body.length, true);
  context.finish();
}

/** 10 KiB of people, each with a card and a secret. */
const PEOPLE = Buffer.from(
  JSON.stringify({
    people: Array.from({ length: 50 }, (_, i) => ({
      id: i,
      name: 'Mira Example',
      email: 'mira@example.com',
      note: 'n'.repeat(80),
      card: '4111111111111111',
      address: { street: 'Long Street 1', password: 'hunter2' },
    })),
  }),
);
const redacting = await start('transform', {
  response: [
    {
      body: {
        redact: [
          { at: ['/**/password'], drop: true },
          { at: ['/people/*/card'], keepLast: 4 },
        ],
      },
    },
  ],
});
const watching = await start('transform', {
  response: [{ body: { redact: [{ at: ['/none'], drop: true }] } }],
});
const patching = await start('transform', {
  response: [
    { body: { patch: [{ op: 'remove', path: '/people/7/address' }], merge: { at: '${request.path}' } } },
  ],
});

function passAnswer(plugin: Plugin): BodyBuffer {
  stream.reset();
  const body = new BodyBuffer();
  body.append(PEOPLE, 0, PEOPLE.length);
  stream.sent = body;
  const context = plugin.createContext(asHost)!;
  context.onRequestHeaders(14, true);
  context.onResponseHeaders(7, false);
  context.onResponseBody(body.length, true);
  context.finish();
  return body;
}
strictEqual(passAnswer(redacting).toString().includes('hunter2'), false);
strictEqual(passAnswer(watching).length, PEOPLE.length);
strictEqual(passAnswer(patching).length < PEOPLE.length, true);

bench('laying down both heads', () => stream.reset());
bench('api-key', () => pass([apiKey]));
let turn = 0;
bench('api-key, 10 000 consumers with plan and label, one asks', () => pass([manyKeys], requestsOfMany[0]));
bench('api-key, 10 000 consumers with plan and label, 1000 ask in turn', () =>
  pass([manyKeys], requestsOfMany[turn++ % 1000]),
);
bench('jwt, seen before', () => pass([jwt], withToken));
bench('rate-limit by consumer, with headers', () => pass([rateLimit]));
bench('rate-limit by address, without headers', () => pass([byAddress]));
bench('rate-limit, three limits', () => pass([severalLimits]));
bench('quota, two by consumer, with headers', () => pass([quota]));
bench('headers, set and two removes', () => pass([headers]));
bench('headers, three variables', () => pass([variables]));
bench('access, 100 rules for 100 paths', () => pass([access]));
bench('access, 100 rules by consumer alone', () => pass([accessAnywhere]));
bench('access, 100 rules by host alone', () => pass([accessHosts]));
bench('access, 100 rules by method and field', () => pass([accessFields]));
bench('access, 100 rules by address alone', () => pass([accessBlocks]));
bench('cors, an answer for an allowed origin', () => pass([cors]));
bench('waf, heads alone', () => pass([waf]));
bench('waf, a small GET', () => pass([waf], smallGet));
bench('waf, a POST of 2 KiB of JSON', () => passBody(wafBodies, TWO_ORDERS, withBody));
bench('waf, a body of 20 members', () => passBody(wafBodies, ORDER, withBody));
bench('transform, an answer of 10 KiB in which 100 values are redacted', () => void passAnswer(redacting));
bench('transform, one in which nothing is', () => void passAnswer(watching));
bench('transform, one that is patched and merged', () => void passAnswer(patching));
bench('validate, a body of 20 members of which 8 have rules', () => passBody(validate, ORDER, withBody));
bench('graphql, an operation of 22 fields with a fragment', () => passBody(graphql, OPERATION, toGraphql));
bench('chain: api-key, rate-limit, headers', () => pass([apiKey, rateLimit, headers]));

await run();
