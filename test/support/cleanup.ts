/**
 * Whatever a test starts (processes, servers, sockets, folders) is registered here and goes when its
 * file ends, whether the tests passed or not. `test/support/setup.ts` calls {@link cleanUp}.
 */
type Undo = () => void | Promise<void>;

const undos = new Set<Undo>();

/** Registers what must happen at the end; the returned function takes it off the list again. */
export function atEnd(undo: Undo): () => void {
  undos.add(undo);
  return () => {
    undos.delete(undo);
  };
}

/** Runs everything registered, last first; a fault in one does not stop the others. */
export async function cleanUp(): Promise<void> {
  const faults: unknown[] = [];
  for (const undo of [...undos].reverse()) {
    undos.delete(undo);
    try {
      await undo();
    } catch (fault) {
      faults.push(fault);
    }
  }
  if (faults.length > 0) throw new AggregateError(faults, 'clean-up after the tests failed');
}
