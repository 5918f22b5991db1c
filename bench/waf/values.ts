/** Requests that have a value where a client may put it. */

const END = 'Host: shop.test\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: close\r\n';

export function inQuery(value: string): Buffer {
  return Buffer.from(`GET /?q=${encodeURIComponent(value)} HTTP/1.1\r\n${END}\r\n`);
}

export function inForm(value: string): Buffer {
  const body = new URLSearchParams({ q: value }).toString();
  return post('application/x-www-form-urlencoded', body);
}

export function inJson(value: string): Buffer {
  return post('application/json', JSON.stringify({ q: value }));
}

function post(type: string, body: string): Buffer {
  const size = Buffer.byteLength(body);
  return Buffer.from(
    `POST / HTTP/1.1\r\n${END}Content-Type: ${type}\r\nContent-Length: ${size}\r\n\r\n${body}`,
  );
}
