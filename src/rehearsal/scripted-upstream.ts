import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Fields } from '../explain/trace.ts';

/** One answer of an upstream that follows a script. */
export interface UpstreamStep {
  readonly status: number;
  readonly headers: Fields;
  /** A list is sent piece by piece. */
  readonly body: string | readonly string[];
  /** Milliseconds before the answer begins. */
  readonly delayMs: number;
  /** Close the connection and answer nothing. */
  readonly reset: boolean;
}

export const PLAIN_ANSWER: UpstreamStep = { status: 200, headers: [], body: '', delayMs: 0, reset: false };

/** What an upstream got. */
export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Fields;
  readonly body: Buffer;
}

/**
 * Real servers on loopback that take the place of the endpoints of one upstream. They answer by one script, step by
 * step, and with the last step from then on.
 */
export class ScriptedUpstream {
  readonly requests: UpstreamRequest[] = [];
  readonly #servers: readonly Server[];
  #script: readonly UpstreamStep[] = [PLAIN_ANSWER];
  #step = 0;

  private constructor(endpoints: number) {
    this.#servers = Array.from({ length: endpoints }, () => {
      const server = createServer((request, response) => {
        // The proxy may give a request up, for instance where its time is over.
        this.#serve(request, response).catch(() => request.socket.destroy());
      });
      // No connection is closed under a request that is about to come.
      server.keepAliveTimeout = 0;
      return server;
    });
  }

  static async start(endpoints: number): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(endpoints);
    await Promise.all(upstream.#servers.map(listen));
    return upstream;
  }

  /** On 127.0.0.1, one for each endpoint. */
  get ports(): readonly number[] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port);
  }

  /** Forgets what it got, and begins a script. */
  play(script: readonly UpstreamStep[]): void {
    this.requests.length = 0;
    this.#script = script.length === 0 ? [PLAIN_ANSWER] : script;
    this.#step = 0;
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const step = this.#script[Math.min(this.#step++, this.#script.length - 1)]!;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url: target = '', rawHeaders } = request;
    const headers = Array.from({ length: rawHeaders.length / 2 }, (_, i): [string, string] => [
      rawHeaders[2 * i]!.toLowerCase(),
      rawHeaders[2 * i + 1]!,
    ]);
    this.requests.push({ method, target, headers, body: Buffer.concat(chunks) });
    if (step.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, step.delayMs));
    if (step.reset) {
      request.socket.destroy();
      return;
    }
    response.statusCode = step.status;
    for (const [name, value] of step.headers) response.appendHeader(name, value);
    if (typeof step.body === 'string') response.end(step.body);
    else {
      for (const piece of step.body) {
        response.write(piece);
        // So that pieces are read one by one.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      response.end();
    }
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
