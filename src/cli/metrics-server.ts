import { createServer, type Server } from 'node:http';
import type { MetricFamily } from '../runtime/metrics.ts';
import { EXPOSITION_TYPE, exposition } from '../supervisor/metrics.ts';

const MAX_CONNECTIONS = 100;

/** Answers `GET /metrics` in Prometheus text format, for commands that have no admin server. */
export class MetricsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects where the address cannot be bound. */
  static async listen(
    host: string,
    port: number,
    families: () => readonly MetricFamily[],
  ): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 });
    server.maxConnections = MAX_CONNECTIONS;
    server.on('request', (request, response) => {
      const isKnown = request.url === '/metrics' || request.url?.startsWith('/metrics?') === true;
      if (!isKnown || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.writeHead(isKnown ? 405 : 404, { 'content-type': 'text/plain' });
        response.end('GET /metrics\n');
        return;
      }
      exposition(families()).then(
        (text) => response.writeHead(200, { 'content-type': EXPOSITION_TYPE }).end(text),
        () => response.destroy(),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new MetricsServer(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
