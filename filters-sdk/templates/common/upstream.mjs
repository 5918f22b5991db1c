// A server to stand behind weir while you try the filter: answers on port 9000 with what it saw.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text) => (body += text));
  request.on('end', () => {
    const { method, url: path, headers } = request;
    response.writeHead(200, { 'content-type': 'application/json', server: 'demo' });
    response.end(`${JSON.stringify({ method, path, headers, body }, null, 2)}\n`);
  });
});

server.listen(Number(process.env.PORT ?? 9000), '127.0.0.1', () => {
  console.log(`upstream on http://127.0.0.1:${server.address().port}`);
});
