/** The phases of a request, in their order (merge rule 5). */
export const PHASES = ['edge', 'authn', 'authz', 'limit', 'transform', 'route', 'upstream', 'log'] as const;
export type Phase = (typeof PHASES)[number];

/** Whether a filter of the phase decides who may pass: then it never fails open. */
export function failsClosed(phase: Phase | null): boolean {
  return phase === 'authn' || phase === 'authz';
}
