// Every property, foreign functions and expressions, as weir and as Envoy encode them for the same filter.
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { STREAM_ATTRIBUTES } from '../../src/runtime/stream-attributes.ts';
import { HOST_ATTRIBUTES } from '../../src/runtime/wasm/host-attributes.ts';
import { protobufBytes } from '../../src/runtime/wasm/protobuf.ts';
import { observe, WeirSubject, type Deployment, type Place } from '../languages/subject.ts';
import { reply } from '../support/fake-upstream.ts';
import { propertyGuest, readings } from '../support/property-guest.ts';
import { temporaryFolder } from '../support/process.ts';
import { EnvoySubject } from './envoy.ts';
import { BY_NATURE, MEANT } from './property-differences.ts';

type Readings = Map<string, Buffer | number>;

const PATHS = [
  ...[...STREAM_ATTRIBUTES.rows, ...HOST_ATTRIBUTES.rows].map(({ path }) => path.replaceAll('.', '/')),
  'request/headers/x-many',
  'request/headers/X-Many',
  'request/headers/nothing',
  'request/headers/:path',
  'response/headers/x-upstream',
  'response/headers/:status',
  'route_metadata/filter_metadata',
  'route_metadata/filter_metadata/nothing',
  'route_metadata/nothing',
  'metadata/filter_metadata/nothing/x',
  'node/metadata',
  'node/metadata/nothing',
  'node/nothing',
  'request',
  'response',
  'connection',
  'source',
  'upstream',
  'xds',
  'nothing',
  'request/nothing',
  'request/path/more',
];

const EXPRESSIONS = [
  'request.path',
  'request.path.startsWith("/shop") && request.method == "GET"',
  'request.headers["x-many"]',
  'request.nothing == "x"',
  'has(request.nothing)',
  '"x-many" in request.headers',
  'request.size + 1',
  'request.size == 0',
  '1 / 0 == 1 || true',
  'request.path.matches("^/[a-z]+")',
  'size(request.path)',
  '[1, 2, 3].map(x, x * 2)',
  '[1, 2].exists(x, x == 2)',
  '{"a": 1}',
  '1u',
  '1.5',
  'b"\\x00\\xff"',
  'duration("1.5s")',
  'timestamp("2026-11-25T00:00:00Z")',
  'null',
  'nothing(1)',
  '1 +',
  'connection.mtls ? 1 : 2',
  'plugin_root_id',
];

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const message = (fields: Readonly<Record<number, Uint8Array | string>>): string =>
  hex(Buffer.concat(Object.entries(fields).map(([field, value]) => protobufBytes(Number(field), value))));
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'der' });
const signature = sign('sha256', Buffer.from('text'), keys.privateKey);

const CALLS: readonly [name: string, args: string][] = [
  ['uncompress', hex(deflateSync('hello world'))],
  ['uncompress', hex(Buffer.from('no zlib'))],
  ['verify_signature', message({ 1: 'sha256', 2: publicKey, 3: signature, 4: 'text' })],
  ['verify_signature', message({ 1: 'md5', 2: publicKey, 3: signature, 4: 'text' })],
  ['sign', message({ 1: 'sha256', 2: privateKey, 3: 'text' })],
  ['declare_property', message({ 1: 'once' }) + '1001'],
  ['declare_property', message({ 1: 'once' })],
  ['set_envoy_filter_state', message({ 1: 'envoy.string', 2: 'value' })],
  ['set_envoy_filter_state', message({ 1: 'nothing', 2: 'value' })],
  ['expr_evaluate', '09000000'],
  ['expr_evaluate', '09'],
  ['expr_delete', '09000000'],
  ['nothing', '00'],
];

function place(name: string, file: string, steps: readonly string[]): Place {
  return { name, filters: [{ file, configuration: steps.join('|'), rootId: 'plugin' }] };
}

let weir: WeirSubject;
let envoy: EnvoySubject;

beforeAll(async () => {
  const file = join(await temporaryFolder(), 'read.wasm');
  writeFileSync(file, (await propertyGuest()).bytes);
  const deployment: Deployment = {
    places: [
      place(
        'request',
        file,
        PATHS.map((path) => `request get ${path}`),
      ),
      place(
        'response',
        file,
        PATHS.map((path) => `response get ${path}`),
      ),
      ...EXPRESSIONS.map((text, i) => place(`cel-${i}`, file, [`request cel ${text}`])),
      ...CALLS.map(([name, args], i) => place(`call-${i}`, file, [`request hex ${name} ${args}`])),
      place('declared', file, [
        `configure hex declare_property ${message({ 1: 'once' })}1001`,
        'quiet set once one',
        'request set once two',
        'request get once',
      ]),
      place('state', file, [
        'quiet set mine one',
        `quiet hex set_envoy_filter_state ${message({ 1: 'envoy.string', 2: 'value' })}`,
        'request get mine',
        'request get filter_state/wasm.mine',
        'request get filter_state/envoy.string',
      ]),
    ],
  };
  weir = await WeirSubject.start(deployment);
  envoy = await EnvoySubject.start(deployment);
}, 180_000);

const REQUEST = 'GET /shop/cart?item=7 HTTP/1.1\r\nHost: plugin.test\r\nX-Many: one\r\nX-Many: two\r\n\r\n';

async function lines(role: string): Promise<{ weir: string[]; envoy: string[] }> {
  const exchange = { role, send: REQUEST, upstream: reply(200, [['x-upstream', 'yes']], 'ok') };
  const [ours, theirs] = [await observe(weir, exchange), await observe(envoy, exchange)];
  return { weir: ours.answer.text.split('\n'), envoy: theirs.answer.text.split('\n') };
}

const kindOf = (value: Buffer | number | undefined): string =>
  value === undefined ? 'missing' : typeof value === 'number' ? String(value) : 'value';

/** Ids of the meant differences that were seen. */
const used = new Set<string>();

/** Compares, reading by reading. @returns what was read of weir */
async function compare(role: string): Promise<Readings> {
  const both = await lines(role);
  const [ours, theirs] = [readings(both.weir), readings(both.envoy)];
  const different: string[] = [];
  for (const path of new Set([...ours.keys(), ...theirs.keys()])) {
    const [weirs, envoys] = [ours.get(path), theirs.get(path)];
    const kinds = `${kindOf(weirs)} / ${kindOf(envoys)}`;
    const meant = MEANT.find((each) => each.role.test(role) && each.path.test(path) && each.kinds === kinds);
    if (meant !== undefined) used.add(meant.id);
    else if (kindOf(weirs) !== kindOf(envoys)) different.push(`${path}: ${kinds}`);
    else if (!BY_NATURE.test(path)) expect(weirs, path).toEqual(envoys);
  }
  expect(different).toEqual([]);
  return ours;
}

test('properties at the head of a request', async () => {
  expect((await compare('request')).size).toBe(new Set(PATHS).size);
});

test('properties at the head of an answer', async () => {
  expect((await compare('response')).size).toBe(new Set(PATHS).size);
});

test.each(EXPRESSIONS.map((text, i) => [text, i] as const))('the expression %s', async (_text, i) => {
  expect((await compare(`cel-${i}`)).size).toBe(1);
});

test('a property that was declared to be read-only', async () => {
  expect((await compare('declared')).get('once')).toEqual(Buffer.from('one'));
});

test('what filters keep', async () => {
  expect((await compare('state')).get('filter_state/wasm.mine')).toEqual(Buffer.from('one'));
});

test.each(CALLS.map(([name], i) => [name, i] as const))('%s, case %i', async (name, i) => {
  expect([...(await compare(`call-${i}`)).keys()]).toEqual([name]);
});

test('every difference that is meant was seen', () => {
  expect(MEANT.map(({ id }) => id).filter((id) => !used.has(id))).toEqual([]);
});
