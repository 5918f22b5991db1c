import * as z from 'zod';
import { object } from './meta.ts';
import { authorities, secretValueRef } from './reference.ts';
import { duration, integer, refuse } from './scalar.ts';

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]/@]+):([1-9]\d{0,4})$/;

const address = () =>
  z.string().max(260).regex(ADDRESS, { error: 'must be host:port, such as redis.internal:6379' });

export const storeSpec = z
  .strictObject({
    redis: z
      .strictObject({
        address: address()
          .optional()
          .describe('Host and port of a Redis or Valkey server, 6.2 or newer. Or `sentinel`.'),
        sentinel: z
          .strictObject({
            master: z.string().min(1).max(253).describe('The name of the master among the Sentinels.'),
            addresses: z
              .array(address())
              .min(1)
              .max(16)
              .describe('Host and port of each Sentinel: more than half of them are waited for.'),
            username: z.string().min(1).max(253).optional().describe('For Sentinels with ACLs.'),
            passwordRef: secretValueRef()
              .optional()
              .describe('A value of a Secret of the namespace: the password of the Sentinels.'),
          })
          .optional()
          .describe(
            'Sentinels say which server is the master, and weir goes with it. `tls` is that of Sentinels and servers, `username` and `passwordRef` beside it those of the servers.',
          ),
        tls: z
          .strictObject({
            serverName: z
              .string()
              .min(1)
              .max(253)
              .optional()
              .describe('The name that its certificate must have. Default: the host of the address.'),
            ca: authorities('ca'),
          })
          .optional()
          .describe('Speaks TLS. Default: plain TCP.'),
        username: z.string().min(1).max(253).optional().describe('For servers with ACLs.'),
        passwordRef: secretValueRef().optional().describe('A value of a Secret of the namespace.'),
        db: integer(0, 1023).default(0).describe('Number of the database.'),
        replicas: integer(0, 8)
          .default(0)
          .describe(
            'What quotas charge and keep back counts as done when so many replicas have it, so that no failover to one of them loses any; where too few have it within the deadline, the Store is out of reach for quotas. Limits wait for none.',
          ),
      })
      .superRefine(({ address, sentinel }, ctx) => {
        if (address === undefined && sentinel === undefined)
          refuse(ctx, 'WEIR1046', 'either address or sentinel is needed');
        if (address !== undefined && sentinel !== undefined)
          refuse(
            ctx,
            'WEIR1046',
            'Sentinels say which server it is: address and sentinel exclude each other',
            ['address'],
          );
      })
      .describe('The server that keeps it.'),
    keyPrefix: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[!-~]+$/, { error: 'must be printable characters without spaces' })
      .default('weir')
      .describe('All keys begin with it. Proxies with the same prefix and configuration count together.'),
    deadline: duration(1, 1000)
      .default(20)
      .describe('No request waits longer for one decision. What then happens is up to the filter.'),
    silence: duration(100, 60_000)
      .default(5000)
      .describe(
        'A server that answers nothing for so long, though it was asked, is taken for gone: the connection is made anew. Meanwhile no request waits beyond the deadline.',
      ),
  })
  .superRefine(({ deadline, silence }, ctx) => {
    if (silence < deadline)
      refuse(ctx, 'WEIR1046', 'a silence shorter than the deadline would end questions before it', [
        'silence',
      ]);
  });

export const store = object(['policy.weir/v1alpha1'], 'Store', storeSpec).describe(
  'A server where proxies count together, named by `store` of a filter. See limits.md.',
);
