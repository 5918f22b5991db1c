/**
 * Whether this module waits within callbacks (`./wait`). The compiler step of this package makes it true where a
 * source imports that file; everything behind it is left out of the others.
 */
export const WAITS = false;
