/** Results of a call into a guest that no guest can return: its own are read as unsigned. */

/** The guest trapped; nothing of what it asked for has happened. */
export const TRAPPED = -1;
/** The guest returned, and has answered the stream in place of the upstream. */
export const REPLIED = -2;
