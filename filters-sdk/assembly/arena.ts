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
  releaseLater(block);
  // A large piece has its block to itself; what comes next fits behind smaller ones.
  if (room != size) {
    top = block + 16 + ((size + 7) & ~7);
    limit = block + 16 + room;
  }
  return block + 16;
}

/** Frees memory from the heap with the callback's own. Its first word is the arena's. */
export function releaseLater(block: usize): void {
  store<usize>(block, blocks);
  blocks = block;
}

/** The callback returns: everything allocated in it is gone. */
export function release(): void {
  top = start;
  if (blocks != 0) freeBlocks();
}

function freeBlocks(): void {
  limit = start + SIZE;
  freeFrom(blocks);
  blocks = 0;
}

function freeFrom(block: usize): void {
  while (block != 0) {
    const before = load<usize>(block);
    heap.free(block);
    block = before;
  }
}

// A callback that waits keeps its views: what it has of this memory is copied away and, before it goes on, back to
// the same place. Layout: top, limit, blocks, then the bytes.
const HELD_HEAD: usize = 16;

function usedSize(inBlocks: usize): usize {
  return inBlocks == 0 ? top - start : SIZE;
}

/** Bytes that {@link holdArena} writes. */
export function heldArenaSize(): usize {
  return HELD_HEAD + usedSize(blocks);
}

/** Takes everything out of the arena, to `at`. */
export function holdArena(at: usize): void {
  store<usize>(at, top);
  store<usize>(at, limit, 4);
  store<usize>(at, blocks, 8);
  memory.copy(at + HELD_HEAD, start, usedSize(blocks));
  top = start;
  limit = start + SIZE;
  blocks = 0;
}

/** Puts it back into an empty arena; how many bytes it read. */
export function putBackArena(at: usize): usize {
  top = load<usize>(at);
  limit = load<usize>(at, 4);
  blocks = load<usize>(at, 8);
  const size = usedSize(blocks);
  memory.copy(start, at + HELD_HEAD, size);
  return HELD_HEAD + size;
}

/** Gives up what is held at `at`. */
export function dropHeldArena(at: usize): void {
  freeFrom(load<usize>(at, 8));
}
