import type { TapRecord } from '../../runtime/wasm/tap/record.ts';
import type { Board } from './board.ts';
import { RequestLog } from './request-view.ts';
import type { Terminal } from './terminal.ts';

/** A request is told when nothing more came of it for so long. */
const QUIET_MS = 150;
/** Lines a second; of more requests the page has the last ones. */
const LINES = 10;

/** Shows requests: on the page as they go on, in the terminal one line each when they are over. */
export class RequestPrinter {
  readonly #board: Board;
  readonly #terminal: Terminal;
  readonly #log = new RequestLog();
  readonly #lines = new Map<string, { line: string; timer: NodeJS.Timeout }>();
  #second = 0;
  #printed = 0;
  #silent = 0;

  constructor(board: Board, terminal: Terminal) {
    this.#board = board;
    this.#terminal = terminal;
  }

  add(record: TapRecord): void {
    const request = this.#log.add(record);
    if (request === null) return;
    this.#board.setRequest(request);
    clearTimeout(this.#lines.get(request.id)?.timer);
    const timer = setTimeout(() => this.#print(request.id), QUIET_MS);
    this.#lines.set(request.id, { line: request.line, timer });
  }

  close(): void {
    for (const { timer } of this.#lines.values()) clearTimeout(timer);
    this.#lines.clear();
  }

  #print(id: string): void {
    const { line } = this.#lines.get(id)!;
    this.#lines.delete(id);
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#printed = 0;
    }
    if (++this.#printed > LINES) {
      this.#silent++;
      return;
    }
    const more = this.#silent === 0 ? '' : `  (and ${this.#silent} more)`;
    this.#silent = 0;
    this.#terminal.say(this.#terminal.colors.dim(line + more));
  }
}
