// Memory for what lives as long as one callback: values that the host hands over, and the views of them.
// A pointer is moved up, and back to the start when the callback returns, so a request leaves nothing
// behind and nothing is collected. What does not fit comes from the heap and is freed at the same moment.

/** Room for a request head of common size and a few values. Not part of the file: it is all zeros. */
const SIZE: usize = 8192;
const start = memory.data(8192, 16);
/** What is taken from the heap at least, once that is full. */
const BLOCK_SIZE: usize = 16384;

let top: usize = start;
let limit: usize = start + SIZE;
/** Blocks from the heap, each beginning with the address of the one before. */
let blocks: usize = 0;

/** Where the host leaves a result's address and size: one place, since host calls do not overlap. */
export const out = memory.data(16, 8);

/** At least `size` bytes, aligned to 8, until the running callback returns. */
export function allocate(size: usize): usize {
  const at = top;
  if (size > limit - at) return allocateBlock(size);
  top = min(limit, at + ((size + 7) & ~7));
  return at;
}

function allocateBlock(size: usize): usize {
  const room = max(size, BLOCK_SIZE - 16);
  const block = heap.alloc(room + 16);
  store<usize>(block, blocks);
  blocks = block;
  // A large piece has its block to itself; what comes next fits behind smaller ones.
  if (room != size) {
    top = block + 16 + ((size + 7) & ~7);
    limit = block + 16 + room;
  }
  return block + 16;
}

/** The callback returns: everything allocated in it is gone. */
export function release(): void {
  top = start;
  if (blocks != 0) freeBlocks();
}

function freeBlocks(): void {
  limit = start + SIZE;
  while (blocks != 0) {
    const block = blocks;
    blocks = load<usize>(block);
    heap.free(block);
  }
}
