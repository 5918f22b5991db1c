/** Reads the pairs layout of the ABI, independently of the host's own code. */
export function readPairs(bytes: Buffer): [name: string, value: string][] {
  const count = bytes.readUInt32LE(0);
  let at = 4 + 8 * count;
  return Array.from({ length: count }, (_, i) => {
    const nameSize = bytes.readUInt32LE(4 + 8 * i);
    const valueSize = bytes.readUInt32LE(8 + 8 * i);
    const name = bytes.toString('latin1', at, at + nameSize);
    const value = bytes.toString('latin1', at + nameSize + 1, at + nameSize + 1 + valueSize);
    at += nameSize + valueSize + 2;
    return [name, value];
  });
}
