import { request as httpRequest, type IncomingMessage } from 'node:http';
import { bytesOf, listOf, piecesOf, withLength, type Field } from './fields.ts';
import { Received } from './received.ts';
import type { RequestSpec } from './testing.d.ts';

/** An answer that came over a socket. */
export interface SocketAnswer {
  readonly status: number;
  readonly message: Received;
}

/** Sends a request to a proxy, each piece of its body by itself. @throws Error where no whole answer comes */
export function send(proxy: URL, spec: RequestSpec, takesTrailers: boolean): Promise<SocketAnswer> {
  const { method = 'GET', path = '/', authority = 'example.test', body, trailers } = spec;
  const pieces = piecesOf(body);
  const fields = listOf(withLength(spec.headers, body, trailers !== undefined));
  const chunked = (pieces.length > 0 || trailers !== undefined) && !has(fields, 'content-length');
  if (chunked) fields.push(['transfer-encoding', 'chunked']);
  if (trailers !== undefined)
    fields.push([
      'trailer',
      listOf(trailers)
        .map(([name]) => name)
        .join(', '),
    ]);
  if (takesTrailers) fields.push(['te', 'trailers'], ['connection', 'te']);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: proxy.hostname,
      port: proxy.port,
      method,
      path,
      agent: false,
      headers: [['host', authority], ...fields].flat(),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      void received(response).then((message) => resolve({ status: response.statusCode!, message }), reject);
    });
    void write(request, pieces).then(() => {
      if (trailers !== undefined)
        request.addTrailers(listOf(trailers).map(([name, value]): [string, string] => [name, value]));
      request.end();
    });
  });
}

/** Each piece in a write, and a packet, of its own. */
async function write(to: { write(bytes: Buffer): boolean }, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    to.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A message to its end. @throws Error where it breaks off */
export async function received(message: IncomingMessage): Promise<Received> {
  const made = new Received(pairs(message.rawHeaders));
  for await (const chunk of message) made.chunks.push(bytesOf(chunk as Uint8Array));
  if (!message.complete) throw new Error('the message broke off');
  made.trailerFields = pairs(message.rawTrailers);
  made.ended = true;
  return made;
}

function pairs(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    fields.push([raw[i]!.toLowerCase(), Buffer.from(raw[i + 1]!, 'latin1').toString()]);
  return fields;
}

function has(fields: readonly Field[], name: string): boolean {
  return fields.some(([each]) => each === name);
}
