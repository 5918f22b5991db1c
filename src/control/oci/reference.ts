/** Names an artifact in a registry. */
export interface Reference {
  /** Host, with its port where one is written. */
  readonly registry: string;
  readonly repository: string;
  /** `latest` where neither tag nor digest is written. */
  readonly tag: string | null;
  /** `sha256:` and hex; it decides where there is a tag too. */
  readonly digest: string | null;
}

/** Where images live whose name has no registry, as for Docker, and where it is asked. */
const DEFAULT_REGISTRY = 'docker.io';
const DEFAULT_REGISTRY_HOST = 'registry-1.docker.io';

const HOST =
  /^(?:localhost|\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * `[oci://][HOST[:PORT]/]PATH[:TAG][@sha256:HEX]`, by the grammar of the OCI distribution specification.
 *
 * @returns the reference, or what is wrong with the text
 */
export function parseReference(text: string): Reference | string {
  let rest = text.replace(/^oci:\/\//, '');
  if (/^[a-z]+:\/\//.test(rest)) return 'a reference has no scheme but oci://';
  let digest: string | null = null;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    if (!DIGEST.test(digest))
      return `"${digest}" is not a digest such as sha256: and 64 lower-case hex digits`;
    rest = rest.slice(0, at);
  }
  let tag: string | null = null;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    if (!TAG.test(tag)) return `"${tag}" is not a tag`;
    rest = rest.slice(0, colon);
  }
  const slash = rest.indexOf('/');
  const first = rest.slice(0, Math.max(slash, 0));
  const hasRegistry = /[.:]/.test(first) || first === 'localhost';
  const registry = hasRegistry ? first : DEFAULT_REGISTRY;
  let repository = hasRegistry ? rest.slice(slash + 1) : rest;
  if (!HOST.test(registry)) return `"${registry}" is not a registry`;
  if (registry === DEFAULT_REGISTRY && !repository.includes('/')) repository = `library/${repository}`;
  if (!PATH.test(repository) || repository.length > 255)
    return `"${repository}" is not the path of a repository (lower-case letters, digits, . _ - and /)`;
  return { registry, repository, tag: tag === null && digest === null ? 'latest' : tag, digest };
}

export function printReference({ registry, repository, tag, digest }: Reference): string {
  const suffix = (tag === null ? '' : `:${tag}`) + (digest === null ? '' : `@${digest}`);
  return `${registry}/${repository}${suffix}`;
}

/** Host and port to connect to. */
export function hostOf({ registry }: Reference): string {
  return registry === DEFAULT_REGISTRY ? DEFAULT_REGISTRY_HOST : registry;
}

/** Whether a host, with or without a port, is this machine itself. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
}
