import type { Callbacks } from '../vm.ts';

/**
 * Looks on at one instance, or takes the place of its host. It is asked once, when the instance is made, so
 * an instance without one pays nothing for it.
 */
export interface Witness {
  /** The import object that the instance gets in the place of the host's own. */
  imports(own: WebAssembly.Imports): WebAssembly.Imports;
  callbacks(own: Callbacks): Callbacks;
}
