import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { adoptAccepted, onAccepted, type Accepted } from '../../src/runtime/accepted-socket.ts';
import { readWindow } from '../../src/runtime/socket-io.ts';

const open: Server[] = [];

afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

/** Answers each read with the same bytes and `!`, and counts the connections. */
async function echo(take: (accepted: Accepted) => Accepted | Promise<Accepted>): Promise<{
  readonly port: number;
  readonly accepted: Accepted[];
  readonly server: Server;
}> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  const accepted: Accepted[] = [];
  onAccepted(server, (each) => {
    accepted.push(each);
    void Promise.resolve(take(each)).then((taken) => {
      const socket = adoptAccepted(taken, (size) => {
        socket.write(`${readWindow.toString('latin1', 0, size)}!`);
        return true;
      });
      socket.on('end', () => socket.end());
      socket.resume();
    });
  });
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, accepted, server };
}

async function say(port: number, text: string): Promise<string> {
  const client = connect(port, '127.0.0.1');
  let heard = '';
  client.setEncoding('latin1').on('data', (chunk: string) => (heard += chunk));
  client.write(text);
  await once(client, 'data');
  client.end();
  await once(client, 'close');
  return heard;
}

describe('an accepted connection', () => {
  test('comes as a bare handle on this Node, and reads and writes', async () => {
    const { port, accepted } = await echo((each) => each);
    expect(await say(port, 'one')).toBe('one!');
    expect(await say(port, 'two')).toBe('two!');
    expect(accepted.map((each) => each instanceof Socket)).toEqual([false, false]);
  });

  test('waits unread until it is taken over', async () => {
    const { port } = await echo(async (each) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return each;
    });
    expect(await say(port, 'late')).toBe('late!');
  });

  test('comes as a handle again where the server listens again', async () => {
    const { port, accepted, server } = await echo((each) => each);
    await new Promise((resolve) => server.close(resolve));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    expect(await say(port, 'again')).toBe('again!');
    expect(accepted.map((each) => each instanceof Socket)).toEqual([false]);
  });

  test('may be a socket, where Node gives no handle, and is served the same', async () => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    open.push(server);
    server.on('connection', (accepted) => {
      const socket = adoptAccepted(accepted, (size) => {
        socket.end(`${readWindow.toString('latin1', 0, size)}!`);
        return true;
      });
      socket.resume();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(await say((server.address() as AddressInfo).port, 'events')).toBe('events!');
  });
});
