export interface AllocResult {
  readonly name: string;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly bytes: number;
  readonly ceiling: number;
}
export function benchAlloc(_node: string): Promise<AllocResult[]> {
  return Promise.resolve([]);
}
