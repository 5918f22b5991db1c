// Two versions of a server to try the filter with: a on port 9000, b on port 9001. Each says who it is and what it saw.
import { createServer } from 'node:http';

listen('a', Number(process.env.PORT ?? 9000));
listen('b', Number(process.env.PORT_B ?? 9001));

function listen(version, port) {
  const server = createServer((request, response) => {
    const { method, url: path, headers } = request;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ version, method, path, headers }, null, 2)}\n`);
  });
  server.listen(port, '127.0.0.1', () =>
    console.log(`version ${version} on http://127.0.0.1:${server.address().port}`),
  );
}
