// The baseline of the Node world: `node:http` in front, an undici pool behind, streaming both ways, with
// hop-by-hop fields left out. `dispatch` is undici's cheapest interface. Arguments: port, upstream's port.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 128, pipelining: 1 });
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const server = createServer({ keepAlive: true }, (request, response) => {
  const headers = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (!HOP_BY_HOP.has(request.rawHeaders[i].toLowerCase()))
      headers.push(request.rawHeaders[i], request.rawHeaders[i + 1]);
  }
  headers.push('X-Forwarded-For', request.socket.remoteAddress, 'X-Forwarded-Proto', 'http');
  const hasBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;

  pool.dispatch(
    { path: request.url, method: request.method, headers, body: hasBody ? request : null },
    {
      onConnect(abort) {
        // A client that left would otherwise keep its upstream connection paused for ever.
        response.on('close', () => {
          if (!response.writableFinished) abort();
        });
      },
      onHeaders(status, raw, resume) {
        const fields = [];
        for (let i = 0; i < raw.length; i += 2) {
          const name = raw[i].toString('latin1');
          if (!HOP_BY_HOP.has(name.toLowerCase())) fields.push(name, raw[i + 1].toString('latin1'));
        }
        response.on('drain', resume);
        response.writeHead(status, fields);
        return true;
      },
      onData: (data) => response.write(data),
      onComplete: () => response.end(),
      onError(fault) {
        if (response.headersSent) response.destroy(fault);
        else response.writeHead(502).end();
      },
    },
  );
});
server.keepAliveTimeout = 60_000;
server.listen(port, '127.0.0.1');
