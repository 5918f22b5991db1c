/** The head that the micro benchmarks of the reader and the writer share: 479 bytes, 10 fields, one of them Host. */
export const REQUEST_HEAD = Buffer.from(
  [
    'GET /shop/items/1842?colour=green&size=42&sort=price HTTP/1.1',
    'Host: shop.example.com',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9',
    'Accept-Language: en-GB,en;q=0.5',
    'Accept-Encoding: gzip, deflate, br',
    'Connection: keep-alive',
    'Cookie: session=3f9a1c77e2; theme=dark; consent=yes',
    'Referer: https://shop.example.com/shop/items',
    'Cache-Control: max-age=0',
    'X-Trace: 6f1e2d3c4b5a69',
    '',
    '',
  ].join('\r\n'),
  'latin1',
);
