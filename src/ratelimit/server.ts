import type { Server, ServerUnaryCall, ServiceDefinition, sendUnaryData } from '@grpc/grpc-js';
import { protobufVarint } from '../runtime/wasm/protobuf.ts';
import { StoreUnavailable, type RateLimitService } from './service.ts';

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;

/** Messages are read and written by hand: they go through as they are. */
const asBytes = (value: Buffer): Buffer => value;

function unary(path: string): ServiceDefinition[string] {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asBytes,
    requestDeserialize: asBytes,
    responseSerialize: asBytes,
    responseDeserialize: asBytes,
  };
}

const RATE_LIMIT: ServiceDefinition = {
  shouldRateLimit: unary('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'),
};
const HEALTH: ServiceDefinition = { check: unary('/grpc.health.v1.Health/Check') };
/** `HealthCheckResponse` that says SERVING. */
const SERVING = protobufVarint(1, 1);

/** PEM. */
export interface ServerTls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Whose certificates callers need; null: they need none. */
  readonly clientCa: Buffer | null;
}

/** The gRPC server of `weir ratelimit`. */
export class RateLimitServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param address `host:port`
   * @param tls null: in plain text
   * @throws Error where it cannot be bound, or certificate and key are none
   */
  static async listen(
    service: RateLimitService,
    address: string,
    tls: ServerTls | null,
  ): Promise<RateLimitServer> {
    // Loaded where it is used alone.
    const { Server, ServerCredentials, status } = await import('@grpc/grpc-js');
    const server = new Server();
    const shouldRateLimit: Unary = ({ request }, callback) => {
      service.answer(request).then(
        (answer) => callback(null, answer),
        (fault: unknown) => {
          const code = fault instanceof StoreUnavailable ? status.UNAVAILABLE : status.INVALID_ARGUMENT;
          callback({ code, details: (fault as Error).message });
        },
      );
    };
    const check: Unary = (_call, callback) => callback(null, SERVING);
    server.addService(RATE_LIMIT, { shouldRateLimit });
    server.addService(HEALTH, { check });
    const credentials =
      tls === null
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(
            tls.clientCa,
            [{ private_key: tls.key, cert_chain: tls.certificate }],
            tls.clientCa !== null,
          );
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(address, credentials, (fault) => (fault === null ? resolve() : reject(fault))),
    );
    return new RateLimitServer(server);
  }

  /** Answers what runs, and takes nothing new. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }
}
