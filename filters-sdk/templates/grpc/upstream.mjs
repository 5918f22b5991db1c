// Two servers to try the filter with: one to stand behind weir (port 9000), which answers with what it saw, and the
// risk service (port 9001), gRPC over HTTP/2 by hand: paths with `admin` in them are risky.
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';

const upstream = createServer((request, response) => {
  const { method, url: path, headers } = request;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ method, path, headers }, null, 2)}\n`);
});

const risk = createHttp2Server().on('stream', (stream) => {
  const parts = [];
  stream.on('data', (data) => parts.push(data));
  stream.on('end', () => {
    const score = Buffer.concat(parts).includes('admin') ? 95 : 5;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // Not compressed, two bytes, and they are: field 1, a varint.
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, score]));
  });
});

listen('upstream', upstream, Number(process.env.PORT ?? 9000));
listen('risk', risk, Number(process.env.RISK_PORT ?? 9001));

function listen(name, server, port) {
  server.listen(port, '127.0.0.1', () => console.log(`${name} on http://127.0.0.1:${server.address().port}`));
}
