import { Bytes, utf8 } from '@weir/filters-sdk/assembly';
import { ExtAuthzConfig } from './config';

/** Tells the service whether the body that it has is all of it. From outside it never comes through. */
export const PARTIAL_BODY = utf8('x-envoy-auth-partial-body');

/** Whether the service does not get to see a field. */
export function isHidden(config: ExtAuthzConfig, name: Bytes): bool {
  if (name.equals(PARTIAL_BODY) || config.disallowed.has(name)) return true;
  const allowed = config.allowed;
  return allowed !== null && !allowed.has(name);
}
