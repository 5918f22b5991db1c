// Memory for what lives as long as one callback: values that the host hands over, and the views of them.
// A pointer is moved up, and back to the start when the callback returns, so a request leaves nothing
// behind and nothing is collected. What does not fit comes from the heap and is freed at the same moment.

/** Room for a request head of common size and a few values. Not part of the file: it is all zeros. */
const SIZE: usize = 8192;
const start = memory.data(8192, 16);

let top: usize = start;
/** Blocks from the heap, each beginning with the address of the one before. */
let blocks: usize = 0;

/** Where the host leaves a result's address and size: one place, since host calls do not overlap. */
export const out = memory.data(16, 8);

/** At least `size` bytes, aligned to 8, until the running callback returns. */
export function allocate(size: usize): usize {
  const at = top;
  if (size > SIZE - (at - start)) return allocateBlock(size);
  top = at + ((size + 7) & ~7);
  return at;
}

function allocateBlock(size: usize): usize {
  const block = heap.alloc(size + 16);
  store<usize>(block, blocks);
  blocks = block;
  return block + 16;
}

/** The callback returns: everything allocated in it is gone. */
export function release(): void {
  top = start;
  while (blocks != 0) {
    const block = blocks;
    blocks = load<usize>(block);
    heap.free(block);
  }
}
