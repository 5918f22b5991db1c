/** Program of the canary's thread, for code that tests run from its sources. */
export const CANARY = new URL('../../dist/canary-thread.js', import.meta.url);
