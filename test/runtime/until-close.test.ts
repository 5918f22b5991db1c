import { describe, expect, test } from 'vitest';
import { DataPlane } from '../support/data-plane.ts';
import { dial, TcpServer, type TcpEnd } from '../support/tcp.ts';

/** The answer to one request of an upstream that frames by closing. */
async function answered(finish: (end: TcpEnd) => void): Promise<TcpEnd> {
  const upstream = await TcpServer.start((end) => {
    end.onData = () => {
      end.write('HTTP/1.0 200 OK\r\n\r\nsome bytes');
      finish(end);
    };
  });
  const plane = await DataPlane.start({ clusters: [{ ports: [upstream.port] }] });
  const client = await dial(plane.port);
  client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await client.over();
  return client;
}

describe('an answer that goes until its connection closes', () => {
  test('is whole where that ended', async () => {
    const client = await answered((end) => void end.end());
    expect(client.ended).toBe('end');
    expect(client.text).toContain('some bytes\r\n0\r\n\r\n');
  });

  test('is cut where it was reset right behind the last bytes, which libuv reports as an end', async () => {
    for (let i = 0; i < 5; i++) {
      const client = await answered((end) => end.reset());
      expect(client.ended).toBe('reset');
      expect(client.text).not.toContain('\r\n0\r\n\r\n');
    }
  });
});
