import { emitKeypressEvents } from 'node:readline';
import type { Colors } from '../output.ts';

/** A key of the bar, and what it is for. */
export interface Key {
  readonly name: string;
  readonly about: string;
  press(): void;
}

/**
 * Standard output and error of a session: text goes above a bar of keys, which stays in the last line. Plain text
 * without a bar where there is no terminal.
 */
export class Terminal {
  readonly colors: Colors;
  readonly #keys: Key[] = [];
  #bar = '';

  constructor(colors: Colors) {
    this.colors = colors;
  }

  get hasKeys(): boolean {
    return this.#bar !== '';
  }

  /** @param text without a line break at its end */
  say(text: string): void {
    this.#above(process.stdout, text);
  }

  complain(text: string): void {
    this.#above(process.stderr, text);
  }

  clear(): void {
    if (this.#bar !== '') process.stdout.write(`\u001b[2J\u001b[3J\u001b[H${this.#bar}`);
  }

  /** Reads keys from here on. @param quit for Ctrl-C, which is a key like others then */
  takeKeys(keys: readonly Key[], quit: () => void): void {
    if (!process.stdin.isTTY || !process.stdout.isTTY) return;
    this.#keys.push(...keys);
    const { bold, dim } = this.colors;
    this.#bar = keys.map(({ name, about }) => `${bold(name)} ${dim(about)}`).join(dim(' · '));
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    process.stdin.on('keypress', (_text: string, key: { name?: string; ctrl?: boolean }) => {
      if (key.ctrl === true && key.name === 'c') return quit();
      if (key.ctrl !== true) this.#keys.find(({ name }) => name === key.name)?.press();
    });
    process.stdin.resume();
    process.stdout.write(this.#bar);
  }

  /** Leaves the terminal as it was. */
  close(): void {
    if (this.#bar === '') return;
    process.stdout.write('\r\u001b[K');
    this.#bar = '';
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  #above(stream: NodeJS.WriteStream, text: string): void {
    if (this.#bar === '') stream.write(`${text}\n`);
    else {
      process.stdout.write('\r\u001b[K');
      stream.write(`${text}\n`);
      process.stdout.write(this.#bar);
    }
  }
}
