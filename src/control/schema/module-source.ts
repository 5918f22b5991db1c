import * as z from 'zod';
import { isLoopbackHost, parseReference } from '../oci/reference.ts';
import { authorities, localRef } from './reference.ts';
import { refuse } from './scalar.ts';

const pullPolicy = () =>
  z
    .enum(['IfNotPresent', 'Always'])
    .optional()
    .describe(
      'When the server is asked again, at most once for each reading of the configuration. IfNotPresent: not where the module was pulled before. Always: whether it has changed. Default: IfNotPresent; Always for the tag `latest`.',
    );

const caBundle = () => authorities('caBundle');

const http = () =>
  z
    .strictObject({
      url: z
        .string()
        .max(2048)
        .superRefine((text, ctx) => {
          const url = URL.canParse(text) ? new URL(text) : null;
          if (url === null || !/^https?:$/.test(url.protocol))
            refuse(ctx, 'WEIR1044', 'must be a URL of https or http');
          else if (url.username !== '' || url.password !== '')
            refuse(ctx, 'WEIR1044', 'must not hold a user name or password');
        })
        .describe('The .wasm file, or a tar archive with plugin.wasm in it, with gzip or without.'),
      pullPolicy: pullPolicy(),
      caBundle: caBundle(),
    })
    .optional()
    .describe('Downloads the module.');

const oci = () =>
  z
    .strictObject({
      ref: z
        .string()
        .max(512)
        .superRefine((text, ctx) => {
          const reference = parseReference(text);
          if (typeof reference === 'string') refuse(ctx, 'WEIR1044', reference);
        })
        .describe('`registry/path:tag`, `registry/path@sha256:…` or both; the digest decides.'),
      pullPolicy: pullPolicy(),
      pullSecret: localRef()
        .optional()
        .describe(
          'A Secret with `.dockerconfigjson`, or with `username` and `password`. Default: what `docker login` left for the user that runs weir.',
        ),
      caBundle: caBundle(),
      insecure: z
        .boolean()
        .optional()
        .describe(
          'true: plain http. Default: false; true for a registry on this machine without a caBundle.',
        ),
    })
    .optional()
    .describe('Pulls the module from a registry of OCI images. See registries.md.');

/** `Module.spec.source`. */
export const moduleSource = () =>
  z
    .strictObject({
      file: z.string().min(1).optional().describe('The .wasm file, relative to this YAML file.'),
      http: http(),
      oci: oci(),
    })
    .superRefine(({ file, http, oci }, ctx) => {
      const given = [file, http, oci].filter((each) => each !== undefined).length;
      if (given === 0) refuse(ctx, 'WEIR1041', 'source needs one of file, http, oci');
      else if (given > 1) refuse(ctx, 'WEIR1046', 'source takes only one of file, http, oci');
    });

/** Bytes that anybody on the way can change must be named by their digest. */
export function refuseUnpinned(
  { http, oci }: z.output<ReturnType<typeof moduleSource>>,
  ctx: z.RefinementCtx,
): void {
  if (http !== undefined && /^http:/i.test(http.url)) {
    if (isLoopbackHost(new URL(http.url).host)) return;
    refuse(ctx, 'WEIR1041', 'sha256 is needed: the module comes over plain http', ['source', 'http', 'url']);
  }
  const reference = oci?.insecure === true ? parseReference(oci.ref) : '';
  if (typeof reference === 'string' || reference.digest !== null || isLoopbackHost(reference.registry))
    return;
  const message = 'sha256, or a digest in ref, is needed: the module comes over plain http';
  refuse(ctx, 'WEIR1041', message, ['source', 'oci', 'insecure']);
}
