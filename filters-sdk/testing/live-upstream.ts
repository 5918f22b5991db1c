import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listOf, piecesOf, recordOf, withLength } from './fields.ts';
import { received } from './live-client.ts';
import type { ResponseSpec, UpstreamRequest } from './testing.d.ts';

/** What a server does with a request; null: it closes the connection without an answer. */
export type Answerer = (request: UpstreamRequest) => ResponseSpec | null | Promise<ResponseSpec | null>;

/** A server that the test plays. */
export class LiveUpstream {
  readonly port: number;
  answerer: Answerer;
  readonly #server: Server;

  private constructor(server: Server, port: number, answerer: Answerer) {
    this.#server = server;
    this.port = port;
    this.answerer = answerer;
  }

  /** @param port 0: a free one */
  static start(answerer: Answerer, port = 0, host = '127.0.0.1'): Promise<LiveUpstream> {
    return new Promise((resolve, reject) => {
      const server = createServer((request, response) => void upstream.#answer(request, response));
      let upstream: LiveUpstream;
      server.once('error', reject);
      server.listen(port, host, () => {
        upstream = new LiveUpstream(server, (server.address() as AddressInfo).port, answerer);
        resolve(upstream);
      });
    });
  }

  /** It does not keep the process from its end. */
  unref(): void {
    this.#server.unref();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const message = await received(request);
      const authority = request.headers.host ?? '';
      const head = { method: request.method!, path: request.url!, authority, scheme: 'http' };
      message.fields = message.fields.filter(([name]) => name !== 'host');
      const answer = await this.answerer(message.as(head));
      if (answer === null) response.destroy();
      else reply(response, answer);
    } catch {
      response.destroy();
    }
  }
}

function reply(response: ServerResponse, { status = 200, headers, body, trailers }: ResponseSpec): void {
  const pieces = piecesOf(body);
  const fields = listOf(withLength(headers, body, trailers !== undefined));
  const hasLength = fields.some(([name]) => name === 'content-length');
  const bodiless = pieces.length === 0 && trailers === undefined;
  if (bodiless && !hasLength && status >= 200 && status !== 204 && status !== 304)
    fields.push(['content-length', '0']);
  if (trailers !== undefined)
    fields.push([
      'trailer',
      listOf(trailers)
        .map(([name]) => name)
        .join(', '),
    ]);
  response.sendDate = false;
  response.writeHead(status, fields.flat());
  for (const piece of pieces) response.write(piece);
  if (trailers !== undefined) response.addTrailers(recordOf(listOf(trailers)));
  response.end();
}
