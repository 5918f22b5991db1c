import * as z from 'zod';
import { Failure } from '../failure.ts';
import type { BenchExchange } from './bench-subject.ts';

const headers = (usual: Record<string, string>) =>
  z.record(z.string(), z.union([z.string(), z.array(z.string())])).default(usual);

const message = { body: z.string().default('') };

/** What a file for `weir filter bench --request` may say. */
const schema = z.strictObject({
  config: z.unknown().optional(),
  request: z
    .strictObject({
      method: z.string().default('GET'),
      path: z.string().startsWith('/').default('/v1/cart?item=4711'),
      authority: z.string().default('shop.example.com'),
      headers: headers({
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)',
        accept: 'application/json, text/plain, */*',
        'accept-encoding': 'gzip, deflate, br',
        'accept-language': 'en-GB,en;q=0.9',
        cookie: 'session=0b3f5f1e7a6b4d0c9e8f7a6b5c4d3e2f; theme=dark',
      }),
      ...message,
    })
    .prefault({}),
  response: z
    .strictObject({
      status: z.int().min(200).max(599).default(200),
      headers: headers({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        etag: '"33a64df5"',
      }),
      body: z.string().default('x'.repeat(1024)),
    })
    .prefault({}),
  upstreams: z
    .record(
      z.string(),
      z.strictObject({
        status: z.int().min(200).max(599).default(200),
        headers: headers({}),
        body: z.string().default(''),
      }),
    )
    .default({}),
});

/** @param name of the file, for messages @throws Failure with all that is wrong */
export function benchExchange(value: unknown, name: string): BenchExchange {
  const read = schema.safeParse(value);
  if (read.success) return { config: undefined, ...read.data };
  const faults = read.error.issues.map(
    ({ path, message: fault }) => `${path.join('.') || 'the file'}: ${fault}`,
  );
  throw new Failure(`${name} does not say what an exchange is\n  ${faults.join('\n  ')}`);
}
