/** A service of external authorization that weir did not write: grpc-node, with what the protocol says of its messages. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.ts';

const PROTO = fileURLToPath(new URL('authorization.proto', import.meta.url));
const SERVICE = loadSync(PROTO, { keepCase: true, longs: Number, defaults: true })[
  'envoy.service.auth.v3.Authorization'
] as ServiceDefinition;

export interface HttpRequest {
  readonly id: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly size: number;
  readonly protocol: string;
  readonly body: string;
  readonly raw_body: Buffer;
}

export interface Peer {
  readonly address: {
    readonly socket_address: { readonly address: string; readonly port_value: number };
  } | null;
  readonly service: string;
  readonly principal: string;
}

export interface CheckRequest {
  readonly attributes: {
    readonly source: Peer;
    readonly destination: Peer;
    readonly request: { readonly time: { readonly seconds: number }; readonly http: HttpRequest };
    readonly context_extensions: Readonly<Record<string, string>>;
  };
}

export interface HeaderOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append?: { readonly value: boolean };
  readonly append_action?: number;
}

export interface CheckResponse {
  readonly status?: { readonly code: number };
  readonly ok_response?: object;
  readonly denied_response?: object;
  readonly error_response?: object;
  readonly dynamic_metadata?: object;
}

/** @param action `HeaderAppendAction`, or what the older `append` is set to */
export function option(key: string, value: string, action: number | boolean = 2): HeaderOption {
  const header = { key, value };
  return typeof action === 'boolean'
    ? { header, append: { value: action } }
    : { header, append_action: action };
}

export const decodeCheck = (bytes: Uint8Array): CheckRequest =>
  SERVICE['Check']!.requestDeserialize(Buffer.from(bytes)) as CheckRequest;
export const encodeDecision = (decision: CheckResponse): Buffer =>
  SERVICE['Check']!.responseSerialize(decision);

export class AuthorizationServer {
  readonly port: number;
  readonly checks: CheckRequest[] = [];
  /** What it says; null: it does not answer. */
  decide: (check: CheckRequest) => CheckResponse | null = () => ({});
  #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(): Promise<AuthorizationServer> {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
        error === null ? resolve(at) : reject(error),
      ),
    );
    const service = new AuthorizationServer(server, port);
    server.addService(SERVICE, {
      Check: (call: { request: CheckRequest }, done: (error: null, decision: CheckResponse) => void) => {
        service.checks.push(call.request);
        const decision = service.decide(call.request);
        if (decision !== null) done(null, decision);
      },
    });
    atEnd(() => server.forceShutdown());
    return service;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
