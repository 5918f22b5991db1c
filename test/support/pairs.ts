/** Writes the pairs layout of the ABI, independently of the host's own code. */
export function pairs(...fields: [name: string, value: string][]): Uint8Array {
  const sizes = fields.flatMap(([name, value]) => [name.length, value.length]);
  const head = new Uint8Array(Uint32Array.from([fields.length, ...sizes]).buffer);
  return Buffer.concat([head, Buffer.from(fields.map(([name, value]) => `${name}\0${value}\0`).join(''))]);
}

/** Reads it. */
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
