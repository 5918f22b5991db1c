/** Envoy's protocol for rate limits, by grpc-node and what the protocol says of its messages: none of weir's own code. */
import { Client, credentials, type ChannelCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.ts';

const PROTO = fileURLToPath(new URL('ratelimit.proto', import.meta.url));
const SERVICE = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true })[
  'envoy.service.ratelimit.v3.RateLimitService'
] as ServiceDefinition;

export interface RateLimitAnswer {
  readonly overall_code: string;
  readonly statuses: readonly {
    readonly code: string;
    readonly current_limit: { readonly requests_per_unit: number; readonly unit: string } | null;
    readonly limit_remaining: number;
    readonly duration_until_reset: { readonly seconds: number; readonly nanos: number } | null;
  }[];
}

export type Ask = (
  domain: string,
  descriptors: readonly (readonly (readonly [key: string, value: string])[])[],
  hits?: number,
) => Promise<RateLimitAnswer>;

/** A client of a server at `host:port`, by default in plain text. Rejects with the gRPC status in `code`. */
export function rateLimitClient(address: string, by: ChannelCredentials = credentials.createInsecure()): Ask {
  const client = new Client(address, by);
  atEnd(() => client.close());
  const { path, requestSerialize, responseDeserialize } = SERVICE['ShouldRateLimit']!;
  return (domain, descriptors, hits = 0) =>
    new Promise((resolve, reject) => {
      const message = {
        domain,
        descriptors: descriptors.map((entries) => ({
          entries: entries.map(([key, value]) => ({ key, value })),
        })),
        hits_addend: hits,
      };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, (fault, answer) => {
        if (fault === null) resolve(answer as RateLimitAnswer);
        else reject(fault);
      });
    });
}
