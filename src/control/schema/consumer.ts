import * as z from 'zod';
import { parsePasswordHash } from '../../runtime/wasm/password-hash.ts';
import { object } from './meta.ts';
import { secretValueRef } from './reference.ts';
import { moment, objectName, refuse } from './scalar.ts';

const sha256 = () =>
  z.string().regex(/^[0-9a-fA-F]{64}$/, { error: 'must be a SHA-256 in 64 hexadecimal digits' });
/** What may be the credential itself, written there by mistake, is told to nobody. */
const CREDENTIAL = { writeOnly: true };

const apiKey = () =>
  z
    .strictObject({
      sha256: sha256()
        .meta(CREDENTIAL)
        .optional()
        .describe('SHA-256 of the key: printf %s "$KEY" | sha256sum. For keys of 128 random bits or more.'),
      secretRef: secretValueRef()
        .optional()
        .describe('A Secret with the key itself; weir keeps its SHA-256 alone.'),
    })
    .superRefine((key, ctx) => {
      if ((key.sha256 === undefined) === (key.secretRef === undefined))
        refuse(ctx, 'WEIR1046', 'apiKey needs exactly one of sha256 and secretRef');
    });

const basic = () =>
  z
    .strictObject({
      username: z
        .string()
        .max(255)
        .regex(/^[^:\p{Cc}]+$/u, {
          error: 'must not be empty, nor hold a colon or control characters',
        })
        .describe('To the letter.'),
      hash: z
        .string()
        .refine((text) => parsePasswordHash(text) !== null, {
          error: 'must be what weir hash-password prints: scrypt$N$r$p$salt$key',
        })
        .meta(CREDENTIAL)
        .optional()
        .describe('What `weir hash-password` makes of the password.'),
      sha256: sha256()
        .meta(CREDENTIAL)
        .optional()
        .describe('SHA-256 of a password that a machine made, of 128 random bits or more.'),
      secretRef: secretValueRef()
        .optional()
        .describe('A Secret with such a password itself; weir keeps its SHA-256 alone.'),
    })
    .superRefine((value, ctx) => {
      const given = [value.hash, value.sha256, value.secretRef].filter((field) => field !== undefined);
      if (given.length !== 1)
        refuse(ctx, 'WEIR1046', 'basic needs exactly one of hash, sha256 and secretRef');
    });

const jwt = () =>
  z.strictObject({
    issuer: z.string().min(1).describe('The claim iss, to the letter.'),
    claim: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(8)])
      .describe('Name of a claim, or names from the outermost object inwards.'),
    equals: z.string().min(1).max(1024).describe('The text that it must be, or that a list must hold.'),
  });

const CERTIFICATE_PARTS = ['dns', 'uri', 'spiffe', 'subject', 'sha256'] as const;

const mtls = () =>
  z
    .strictObject({
      dns: z.string().min(1).max(253).optional().describe('A DNS name of the certificate (SAN).'),
      uri: z.string().min(1).max(2048).optional().describe('A URI of the certificate (SAN), to the letter.'),
      spiffe: z
        .string()
        .max(2048)
        .regex(/^spiffe:\/\/[^/*]+(\/([^/*]+|[*]))*(\/[*][*])?$/, {
          error:
            'must be spiffe://trust.domain/path, with * for a segment of the path and ** for all that are left',
        })
        .optional()
        .describe('A SPIFFE id. In the path * is one segment, and ** at its end all that are left.'),
      subject: z
        .string()
        .min(1)
        .max(2048)
        .optional()
        .describe('The subject in the form of RFC 2253, such as CN=build,O=Acme.'),
      sha256: sha256().optional().describe('SHA-256 of the certificate.'),
    })
    .superRefine((value, ctx) => {
      if (CERTIFICATE_PARTS.filter((part) => value[part] !== undefined).length !== 1)
        refuse(ctx, 'WEIR1046', `mtls needs exactly one of ${CERTIFICATE_PARTS.join(', ')}`);
    });

const SHARED = 'hmac-sha256';

const hmac = () =>
  z
    .strictObject({
      keyId: z
        .string()
        .min(1)
        .max(256)
        .regex(/^[ !#-[\]-~]*$/, { error: 'must be printable ASCII without " and \\' })
        .describe('The parameter `keyid` of signatures, to the letter.'),
      algorithm: z
        .enum([
          SHARED,
          'ed25519',
          'ecdsa-p256-sha256',
          'ecdsa-p384-sha384',
          'rsa-pss-sha512',
          'rsa-v1_5-sha256',
        ])
        .default(SHARED)
        .describe('The one algorithm that the key is for.'),
      secretRef: secretValueRef()
        .optional()
        .describe('hmac-sha256: a Secret with what both sides know, of 32 bytes at least.'),
      encoding: z
        .enum(['Text', 'Base64'])
        .optional()
        .describe('How the Secret has it: as it is, or in base64. Default: Text.'),
      jwk: z
        .record(z.string(), z.unknown())
        .optional()
        .describe('Other algorithms: the public key, a JSON Web Key.'),
    })
    .superRefine((value, ctx) => {
      const { algorithm, secretRef, encoding, jwk } = value;
      const shared = algorithm === SHARED;
      if (shared && (secretRef === undefined || jwk !== undefined))
        refuse(ctx, 'WEIR1046', 'hmac with hmac-sha256 needs secretRef, and no jwk');
      if (!shared && (jwk === undefined || secretRef !== undefined || encoding !== undefined))
        refuse(ctx, 'WEIR1046', `hmac with ${algorithm} needs jwk, and neither secretRef nor encoding`);
      if (jwk !== undefined && ['d', 'k'].some((member) => Object.hasOwn(jwk, member)))
        refuse(ctx, 'WEIR1046', 'jwk must be a public key, this one has secrets');
      if (jwk !== undefined && !Object.hasOwn(jwk, 'kty'))
        refuse(ctx, 'WEIR1046', 'jwk must be a JSON Web Key, with "kty"');
    });

const CREDENTIALS = ['apiKey', 'basic', 'hmac', 'jwt', 'mtls'] as const;
export type CredentialType = (typeof CREDENTIALS)[number];

const credential = () =>
  z
    .strictObject({
      apiKey: apiKey().optional().describe('For filters api-key.'),
      basic: basic().optional().describe('A user name and a password, for filters basic.'),
      hmac: hmac().optional().describe('A key that signs requests, for filters hmac.'),
      jwt: jwt().optional().describe('A claim of tokens, for filters jwt.'),
      mtls: mtls().optional().describe('A certificate of the client, for filters mtls.'),
      notAfter: moment()
        .optional()
        .describe('The credential counts until then. A second one beside it can take over before.'),
    })
    .superRefine((value, ctx) => {
      if (CREDENTIALS.filter((type) => value[type] !== undefined).length !== 1)
        refuse(ctx, 'WEIR1046', `a credential needs exactly one of ${CREDENTIALS.join(', ')}`);
    });

export const consumerSpec = z.strictObject({
  credentials: z
    .array(credential())
    .max(64)
    .default([])
    .describe('Each of them will do. No two Consumers of a namespace have the same.'),
  plan: objectName()
    .optional()
    .describe(
      'What the consumer may use: a Plan of the namespace. Where there are no Plans, a text that filters read as consumer.plan.',
    ),
});

export const consumer = object(['policy.weir/v1alpha1'], 'Consumer', consumerSpec).describe(
  'Somebody who sends requests, and how he is known. Filters select Consumers by label with `consumerLabel`.',
);

export type CredentialSpec = z.output<typeof consumerSpec>['credentials'][number];
