import type { TapRecord } from '../../runtime/wasm/tap/record.ts';
import type { Board } from './board.ts';
import { RequestLog } from './request-view.ts';
import type { Terminal } from './terminal.ts';

/** A request is told when nothing more came of it for so long. */
const QUIET_MS = 150;
/** Lines a second; of more requests the page has the last ones. */
const LINES = 10;
/** Lines of the access log that wait for a record of the same request. */
const WAITING = 50;

interface AccessLogEntry {
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
  readonly response_code: number;
  readonly duration: number;
}

/** Shows requests: on the page as they go on, in the terminal one line each when they are over. */
export class RequestPrinter {
  readonly #board: Board;
  readonly #terminal: Terminal;
  readonly #log = new RequestLog();
  readonly #lines = new Map<string, { line: string; timer: NodeJS.Timeout }>();
  readonly #waiting = new Set<NodeJS.Timeout>();
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

  /**
   * A line of the access log: of a request that no filter saw, or that was not recorded, it is all there is.
   *
   * @returns false where it is none
   */
  logged(text: string): boolean {
    const entry = accessLogEntry(text);
    if (entry === null) return false;
    const { request_id: id, method, path, response_code: status, duration } = entry;
    if (this.#waiting.size >= WAITING) {
      this.#silent++;
      return true;
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      if (!this.#board.hasRequest(id)) this.#say(`${method} ${path} ${status}  ${duration} ms`);
    }, 2 * QUIET_MS);
    this.#waiting.add(timer);
    return true;
  }

  close(): void {
    for (const timer of this.#waiting) clearTimeout(timer);
    for (const { timer } of this.#lines.values()) clearTimeout(timer);
    this.#lines.clear();
  }

  #print(id: string): void {
    const { line } = this.#lines.get(id)!;
    this.#lines.delete(id);
    this.#say(line);
  }

  #say(line: string): void {
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

function accessLogEntry(line: string): AccessLogEntry | null {
  if (!line.startsWith('{')) return null;
  try {
    const entry = JSON.parse(line) as Partial<AccessLogEntry>;
    return entry.request_id === undefined || entry.method === undefined ? null : (entry as AccessLogEntry);
  } catch {
    return null;
  }
}
