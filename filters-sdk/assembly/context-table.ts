import { RootContext, StreamContext } from './context';

// The contexts that live, by the host's numbers. A table of open addresses: numbers grow by one from
// stream to stream, so nearly every look-up finds its entry at the first try.

const FIRST_SIZE = 64;

let contexts = makeTable(FIRST_SIZE);
/** The number of the context at the same index, u32 each. */
let ids = heap.alloc(4 * FIRST_SIZE);
let mask: i32 = FIRST_SIZE - 1;
let count: i32 = 0;

/** As its constructor does, without a check that would cost as many bytes as the rest of this file. */
function makeTable(size: i32): StaticArray<StreamContext | null> {
  return changetype<StaticArray<StreamContext | null>>(
    __new(size * sizeof<usize>(), idof<StaticArray<StreamContext | null>>()),
  );
}

function idAt(index: i32): u32 {
  return load<u32>(ids + 4 * index);
}

function setEntry(index: i32, id: u32, context: StreamContext): void {
  store<u32>(ids + 4 * index, id);
  unchecked((contexts[index] = context));
}

/** Null where no stream has this number. */
export function findStream(id: u32): StreamContext | null {
  const at = indexOf(id);
  return at < 0 ? null : unchecked(contexts[at]);
}

/** Index of the entry, or -1. */
function indexOf(id: u32): i32 {
  let at = (<i32>id) & mask;
  while (unchecked(contexts[at]) !== null) {
    if (idAt(at) == id) return at;
    at = (at + 1) & mask;
  }
  return -1;
}

/** Enters a new stream of a root, with an object from the spare ones if there is one. */
export function addStream(id: u32, root: RootContext): void {
  let context = root.spare;
  if (context !== null) {
    root.spare = context.nextSpare;
  } else {
    context = root.createStream();
    context.owner = root;
  }
  if (2 * ++count > mask) grow();
  put(id, context);
}

function put(id: u32, context: StreamContext): void {
  let at = (<i32>id) & mask;
  while (unchecked(contexts[at]) !== null) at = (at + 1) & mask;
  setEntry(at, id, context);
}

function grow(): void {
  const oldIds = ids;
  const oldContexts = contexts;
  const size = 2 * oldContexts.length;
  ids = heap.alloc(4 * size);
  contexts = makeTable(size);
  mask = size - 1;
  for (let i = 0; i < oldContexts.length; i++) {
    const context = unchecked(oldContexts[i]);
    if (context !== null) put(load<u32>(oldIds + 4 * i), context);
  }
  heap.free(oldIds);
}

/** Takes a stream out; false where there is none of this number. */
export function removeStream(id: u32): bool {
  const at = indexOf(id);
  if (at < 0) return false;
  const context = unchecked(contexts[at])!;
  count--;
  closeGap(at);
  context.onDelete();
  if (context.recycle()) {
    const root = context.owner!;
    context.nextSpare = root.spare;
    root.spare = context;
  }
  return true;
}

/** Moves entries back that were put behind this one for want of their own place. */
function closeGap(gap: i32): void {
  let at = gap;
  for (;;) {
    at = (at + 1) & mask;
    const context = unchecked(contexts[at]);
    if (context === null) break;
    const id = idAt(at);
    const home = (<i32>id) & mask;
    // Its home lies in the cycle after the gap, up to where it is: it may stay.
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    setEntry(gap, id, context);
    gap = at;
  }
  unchecked((contexts[gap] = null));
}

let roots: RootContext | null = null;
let prototype: RootContext | null = null;
let makeRoot: (() => RootContext) | null = null;

/**
 * Tells the SDK which class serves the plugin. Call it once, when the module starts. Where the host serves
 * several configurations from one VM (Envoy does), the others get objects of the same class, so its
 * constructor takes no arguments.
 */
export function registerRoot<T extends RootContext>(root: T): void {
  prototype = root;
  makeRoot = (): RootContext => instantiate<T>();
}

export function addRoot(id: u32): void {
  let root = prototype;
  if (root !== null) prototype = null;
  else root = makeRoot!();
  root.id = id;
  root.nextRoot = roots;
  roots = root;
}

export function findRoot(id: u32): RootContext | null {
  let root = roots;
  while (root !== null && root.id != id) root = root.nextRoot;
  return root;
}

export function removeRoot(id: u32): void {
  let before: RootContext | null = null;
  let root = roots;
  while (root !== null && root.id != id) {
    before = root;
    root = root.nextRoot;
  }
  if (root === null) return;
  if (before === null) roots = root.nextRoot;
  else before.nextRoot = root.nextRoot;
  root.onDelete();
}
