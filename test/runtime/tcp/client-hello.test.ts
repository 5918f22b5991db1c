import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { ClientHello, HELLO_BYTES, HelloState } from '../../../src/runtime/tcp/client-hello.ts';
import { Dice } from '../../support/dice.ts';

/** The first message of a real client. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [import('node:net').Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

function read(bytes: Buffer): [HelloState, string] {
  const hello = new ClientHello();
  return [hello.read(bytes), hello.serverName];
}

let hello: Buffer;

beforeAll(async () => {
  hello = await helloOf({ servername: 'db.Example.com' });
});

describe('the server name of a client', () => {
  test('is found, in lower case, in TLS 1.3 and 1.2', async () => {
    expect(read(hello)).toEqual([HelloState.Done, 'db.example.com']);
    expect(read(await helloOf({ servername: 'a.example', maxVersion: 'TLSv1.2' }))).toEqual([
      HelloState.Done,
      'a.example',
    ]);
  });

  test('is empty where there is none', async () => {
    expect(read(await helloOf({}))).toEqual([HelloState.Done, '']);
  });

  test('is waited for, whatever the pieces', () => {
    for (let size = 0; size < hello.length; size++)
      expect(read(hello.subarray(0, size))[0], `${size} bytes`).toBe(HelloState.More);
    expect(read(Buffer.concat([hello, Buffer.from('more')]))[0]).toBe(HelloState.Done);
  });

  test('is found in a message over several records', () => {
    const message = hello.subarray(5);
    const records: Buffer[] = [];
    for (let at = 0; at < message.length; at += 50) {
      const part = message.subarray(at, at + 50);
      records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
    }
    expect(read(Buffer.concat(records))).toEqual([HelloState.Done, 'db.example.com']);
  });
});

describe('what is no ClientHello is refused', () => {
  const changed = (at: number, ...bytes: number[]): Buffer => {
    const copy = Buffer.from(hello);
    copy.set(bytes, at);
    return copy;
  };

  test.each([
    ['plain text', () => Buffer.from('GET / HTTP/1.1\r\n')],
    ['SSLv2', () => Buffer.from([0x80, 0x2e, 1, 3, 1])],
    ['another version of the record', () => changed(1, 2)],
    ['an empty record', () => Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', () => Buffer.from([22, 3, 1, 0x40, 1])],
    ['another message', () => changed(5, 2)],
    ['a message that is too long', () => changed(6, 1)],
    ['a session id beyond the message', () => changed(5 + 4 + 34, 255)],
  ])('%s', (_name, make) => {
    expect(read(make())[0]).toBe(HelloState.Bad);
  });

  test('more bytes than any client needs', () => {
    const record = (size: number): Buffer =>
      Buffer.concat([Buffer.from([22, 3, 1, size >> 8, size & 255]), Buffer.alloc(size, 1)]);
    // A message of 65 793 bytes, by its length.
    expect(read(Buffer.concat([record(16_384), record(100)]))[0]).toBe(HelloState.Bad);
    expect(HELLO_BYTES).toBeGreaterThan(16 * 1024);
  });

  const name = (): number => hello.indexOf('db.');
  test.each([
    ['another type of name', () => changed(name() - 3, 1)],
    ['an empty label', () => changed(name() + 3, 0x2e)],
    ['a byte that no name has', () => changed(name(), 0)],
    ['a list longer than its names', () => changed(name() - 4, hello[name() - 4]! + 1)],
  ])('a server name with %s', (_name, make) => {
    expect(read(make())[0]).toBe(HelloState.Bad);
  });

  test('random damage is refused or read, and never throws', () => {
    const dice = new Dice(7);
    for (let i = 0; i < 5000; i++) {
      const copy = Buffer.from(hello.subarray(0, 1 + dice.below(hello.length)));
      for (let n = dice.below(4); n >= 0; n--) copy[dice.below(copy.length)] = dice.below(256);
      const [state, found] = read(copy);
      if (state === HelloState.Done) expect(found).toMatch(/^[a-z0-9_.-]*$/);
    }
  });
});
