const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already',
  EADDRNOTAVAIL: 'no interface of this machine has the address',
  EACCES: 'ports below 1024 are not for this user, nor is a path without rights',
  EAFNOSUPPORT: 'this machine has no IPv6',
};

/** Why an address cannot be bound, in words; undefined for a code that says it best itself. */
export function listenReason(code: string): string | undefined {
  const reason = REASONS[code];
  return reason === undefined ? undefined : `${reason} (${code})`;
}
