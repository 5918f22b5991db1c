// Two servers to try the filter with: one to stand behind weir (port 9000), which answers with what it saw, and the
// authorisation service (port 9001), which knows one token.
import { createServer } from 'node:http';

const upstream = createServer((request, response) => {
  const { method, url: path, headers } = request;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ method, path, headers }, null, 2)}\n`);
});

const auth = createServer((request, response) => {
  const known = request.headers.authorization === 'Bearer let-me-in';
  response.writeHead(known ? 200 : 401, known ? { 'x-user': 'ada' } : {}).end();
});

listen('upstream', upstream, Number(process.env.PORT ?? 9000));
listen('auth', auth, Number(process.env.AUTH_PORT ?? 9001));

function listen(name, server, port) {
  server.listen(port, '127.0.0.1', () => console.log(`${name} on http://127.0.0.1:${server.address().port}`));
}
