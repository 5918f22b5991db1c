/** What the proxy listens at, from its own configuration. */
export async function addressesOf(admin: string): Promise<string[]> {
  try {
    const dump = (await (await fetch(`http://${admin}/config_dump`)).json()) as {
      snapshot?: { ports?: readonly { address: string; port: number; protocol: string }[] } | null;
    };
    return (dump.snapshot?.ports ?? []).map(({ address, port, protocol }) => {
      const host = address === '' || address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
      const scheme = protocol === 'http' || protocol === 'https' ? protocol : 'tcp';
      return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    });
  } catch {
    // It has just ended, which is told elsewhere.
    return [];
  }
}
