/** What the guest receives: a plain string as it is, anything else as JSON, nothing as nothing. */
export function configurationText(config: unknown): string {
  if (config === undefined || config === null) return '';
  return typeof config === 'string' ? config : JSON.stringify(config);
}
