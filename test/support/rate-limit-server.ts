/** A rate limit service that weir did not write: grpc-node, with what the protocol says of its messages. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.ts';

const PROTO = fileURLToPath(new URL('ratelimit.proto', import.meta.url));
const SERVICE = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true })[
  'envoy.service.ratelimit.v3.RateLimitService'
] as ServiceDefinition;

interface LimitQuestion {
  readonly domain: string;
  readonly descriptors: readonly {
    readonly entries: readonly { readonly key: string; readonly value: string }[];
    readonly hits_addend: { readonly value: number } | null;
  }[];
  readonly hits_addend: number;
}

/** A `RateLimitResponse`. */
export interface LimitVerdict {
  readonly overall_code?: 'UNKNOWN' | 'OK' | 'OVER_LIMIT';
  readonly statuses?: readonly object[];
  readonly response_headers_to_add?: readonly { readonly key: string; readonly value: string }[];
  readonly request_headers_to_add?: readonly { readonly key: string; readonly value: string }[];
  readonly raw_body?: Buffer;
}

/** `shop[user=ann path=/a][x=y *2] *3` */
export function lineOf({ domain, descriptors, hits_addend }: LimitQuestion): string {
  const all = descriptors.map(({ entries, hits_addend: hits }) => {
    const pairs = entries.map(({ key, value }) => `${key}=${value}`);
    if (hits !== null) pairs.push(`*${hits.value}`);
    return `[${pairs.join(' ')}]`;
  });
  return `${domain}${all.join('')}${hits_addend === 0 ? '' : ` *${hits_addend}`}`;
}

/** What a limit says of one descriptor. */
export function status(code: 'OK' | 'OVER_LIMIT', left: number, more: object = {}): object {
  return {
    code,
    current_limit: { requests_per_unit: 10, unit: 'MINUTE', ...more },
    limit_remaining: left,
    duration_until_reset: { seconds: 30, nanos: 1 },
  };
}

export const decodeQuestion = (bytes: Uint8Array): LimitQuestion =>
  SERVICE['ShouldRateLimit']!.requestDeserialize(Buffer.from(bytes)) as LimitQuestion;
export const encodeVerdict = (verdict: LimitVerdict): Buffer =>
  SERVICE['ShouldRateLimit']!.responseSerialize(verdict);

export class RateLimitStandIn {
  readonly port: number;
  /** What it was asked, as `lineOf` writes it. */
  readonly asked: string[] = [];
  /** What it says; null: it does not answer. */
  decide: (question: LimitQuestion) => LimitVerdict | null = () => ({ overall_code: 'OK' });
  #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(): Promise<RateLimitStandIn> {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
        error === null ? resolve(at) : reject(error),
      ),
    );
    const service = new RateLimitStandIn(server, port);
    server.addService(SERVICE, {
      ShouldRateLimit: (
        call: { request: LimitQuestion },
        done: (error: null, verdict: LimitVerdict) => void,
      ) => {
        service.asked.push(lineOf(call.request));
        const verdict = service.decide(call.request);
        if (verdict !== null) done(null, verdict);
      },
    });
    atEnd(() => server.forceShutdown());
    return service;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
