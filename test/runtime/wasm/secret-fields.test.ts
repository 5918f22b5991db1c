import { describe, expect, test } from 'vitest';
import { MapType, Status } from '../../../src/runtime/wasm/abi.ts';
import { DEFAULT_CAPABILITIES } from '../../../src/runtime/wasm/capabilities.ts';
import { isSecretName, isSecretProperty } from '../../../src/runtime/wasm/secret-fields.ts';
import { readPairs } from '../../support/pairs.ts';
import { runScript, type RunOptions } from '../../support/bare-run.ts';
import { BareStream } from '../../support/bare-stream.ts';

const { RequestHeaders, ResponseHeaders } = MapType;
const SECRETS = ['Authorization', 'proxy-authorization', 'COOKIE', 'set-cookie', 'x-forwarded-client-cert'];

function stream(): BareStream {
  const made = new BareStream();
  made.request([
    ['accept', '*/*'],
    ...SECRETS.map((name) => [name, `secret-${name}`] as const),
    ['x-last', 'l'],
  ]);
  made.response([
    [':status', '200'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['server', 's'],
  ]);
  return made;
}

const hidden = (): RunOptions => ({ spec: { capabilities: DEFAULT_CAPABILITIES }, stream: stream() });
const shown = (): RunOptions => ({ stream: stream() });

describe('without the capability secrets', () => {
  test.each(SECRETS)('%s is not found, in any case, and is with it', async (name) => {
    const reads = [name, name.toLowerCase(), name.toUpperCase()];
    for (const [options, status] of [
      [hidden(), Status.NotFound],
      [shown(), Status.Ok],
    ] as const) {
      const run = await runScript((s) => {
        for (const each of reads)
          s.call('proxy_get_header_map_value', RequestHeaders, s.text(each), s.out(0), s.out(1));
      }, options);
      expect(run.results(3)).toEqual([status, status, status]);
    }
  });

  test('a module of ABI 0.1.0 reads it as an empty value', async () => {
    const run = await runScript(
      (s) => s.call('proxy_get_header_map_value', RequestHeaders, s.text('cookie'), s.out(0), s.out(1)),
      { ...hidden(), abi: '0.1.0' },
    );
    expect(run.results(1)).toEqual([Status.Ok]);
    expect([run.word(0), run.word(1)]).toEqual([0, 0]);
  });

  test('maps leave it out, and their size too', async () => {
    const run = await runScript(
      (s) =>
        s
          .call('proxy_get_header_map_pairs', RequestHeaders, s.out(0), s.out(1))
          .call('proxy_get_header_map_pairs', ResponseHeaders, s.out(2), s.out(3))
          .call('proxy_get_header_map_size', ResponseHeaders, s.out(4)),
      hidden(),
    );
    const names = (index: number) => readPairs(Buffer.from(run.given(index), 'latin1')).map(([name]) => name);
    expect(names(0)).toEqual([':method', ':path', ':authority', ':scheme', 'accept', 'x-last']);
    expect(names(2)).toEqual([':status', 'server']);
    expect(run.word(4)).toBe(':status200servers'.length);
  });

  test('the message itself keeps it, whatever the module reads', async () => {
    const options = hidden();
    await runScript((s) => s.call('proxy_get_header_map_pairs', RequestHeaders, s.out(0), s.out(1)), options);
    expect(options.stream!.headerMap(0)!.get('cookie')).toBe('secret-COOKIE');
  });

  test('a map that is replaced keeps what the module could not see', async () => {
    const options = hidden();
    const run = await runScript(
      (s) => s.call('proxy_set_header_map_pairs', RequestHeaders, s.text(list('x-new', 'n'))),
      options,
    );
    expect(run.results(1)).toEqual([Status.Ok]);
    const names = options
      .stream!.headerMap(0)!
      .entries()
      .map(([name]) => name)
      .slice(4);
    expect(names).toEqual([...SECRETS.map((name) => name.toLowerCase()), 'x-new']);
  });

  test('one that the list names is replaced', async () => {
    const options = hidden();
    await runScript(
      (s) => s.call('proxy_set_header_map_pairs', ResponseHeaders, s.text(list('Set-Cookie', 'c=3'))),
      options,
    );
    expect(options.stream!.headerMap(2)!.entries()).toEqual([
      [':status', '200'],
      ['set-cookie', 'c=3'],
    ]);
  });

  test('it can be set and removed unseen', async () => {
    const options = hidden();
    const run = await runScript(
      (s) =>
        s
          .call(
            'proxy_replace_header_map_value',
            RequestHeaders,
            s.text('authorization'),
            s.text('Basic eA=='),
          )
          .call('proxy_remove_header_map_value', RequestHeaders, s.text('cookie')),
      options,
    );
    expect(run.results(2)).toEqual([Status.Ok, Status.Ok]);
    expect(options.stream!.headerMap(0)!.get('authorization')).toBe('Basic eA==');
    expect(options.stream!.headerMap(0)!.get('cookie')).toBeUndefined();
  });

  test('properties do not tell it either, by itself or in a map', async () => {
    const made = stream();
    const bytes = (text: string) => ({ type: 'bytes', value: Buffer.from(text) }) as const;
    made.attributes.set('request\0headers\0cookie', bytes('c'));
    made.attributes.set('connection\0subject_peer_certificate', bytes('CN=x'));
    made.attributes.set('request\0headers', {
      type: 'map',
      value: [
        ['cookie', bytes('c')],
        ['x', bytes('y')],
      ],
    });
    const read = (options: RunOptions) =>
      runScript(
        (s) =>
          s
            .call('proxy_get_property', s.text('request\0headers\0cookie'), s.out(0), s.out(1))
            .call('proxy_get_property', s.text('request.headers.cookie'), s.out(0), s.out(1))
            .call('proxy_get_property', s.text('connection\0subject_peer_certificate'), s.out(0), s.out(1))
            .call('proxy_get_property', s.text('request\0headers'), s.out(2), s.out(3)),
        { ...options, stream: made },
      );
    const without = await read(hidden());
    expect(without.results(4)).toEqual([Status.NotFound, Status.NotFound, Status.NotFound, Status.Ok]);
    expect(readPairs(Buffer.from(without.given(2), 'latin1'))).toEqual([['x', 'y']]);
    const withThem = await read(shown());
    expect(withThem.results(4)).toEqual([Status.Ok, Status.Ok, Status.Ok, Status.Ok]);
    expect(readPairs(Buffer.from(withThem.given(2), 'latin1')).length).toBe(2);
  });
});

test.each(['authorizations', 'cookie2', 'x-cookie', 'cooki', 'user-agent', 'accept'])(
  '%s is no secret',
  (name) => {
    expect(isSecretName(Buffer.from(name), 0, name.length)).toBe(false);
  },
);

test.each([
  ['connection\0uri_san_peer_certificate', true],
  ['connection\0sha256_peer_certificate_digest', true],
  ['connection\0subject_local_certificate', false],
  ['connection\0tls_version', false],
  ['response\0headers\0Set-Cookie', true],
  ['request\0headers\0x-user', false],
])('the property %s is a secret: %s', (path, secret) => {
  expect(isSecretProperty(path)).toBe(secret);
});

function list(name: string, value: string): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(1, 0);
  head.writeUInt32LE(name.length, 4);
  head.writeUInt32LE(value.length, 8);
  return Buffer.concat([head, Buffer.from(`${name}\0${value}\0`)]);
}
