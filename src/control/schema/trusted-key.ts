import * as z from 'zod';
import { object } from './meta.ts';
import { refuse } from './scalar.ts';

export const trustedKeySpec = z
  .strictObject({
    publicKey: z
      .string()
      .max(4096)
      .optional()
      .describe('An Ed25519 public key: PEM, or base64 of its 32 bytes.'),
    file: z.string().min(1).optional().describe('The same in a file, relative to this YAML file.'),
    enforced: z
      .boolean()
      .default(false)
      .describe('true: every Module of the namespace must be signed by one of its enforced keys.'),
  })
  .superRefine((spec, ctx) => {
    if ((spec.publicKey === undefined) === (spec.file === undefined))
      refuse(ctx, 'WEIR1046', 'a TrustedKey needs exactly one of publicKey and file');
  });

export const trustedKey = object(['policy.weir/v1alpha1'], 'TrustedKey', trustedKeySpec).describe(
  'A key whose signatures on modules are believed, named by `signedBy` of a Module.',
);
