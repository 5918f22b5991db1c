/** A debugger's side of V8's inspector protocol, as far as tests of `weir dev --inspect` need it. */
import { WebSocket } from 'undici';
import { atEnd } from './cleanup.ts';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface Location {
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

export interface ParsedScript {
  readonly scriptId: string;
  readonly scriptLanguage?: string;
  readonly sourceMapURL?: string;
}

export interface Paused {
  readonly reason: string;
  readonly hitBreakpoints?: readonly string[];
  readonly callFrames: readonly {
    readonly functionName: string;
    readonly location: Location;
    readonly scopeChain: readonly { readonly type: string; readonly object: { readonly objectId: string } }[];
  }[];
}

export class InspectorClient {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #events: { readonly method: string; readonly params: unknown }[] = [];
  #wake: () => void = () => undefined;
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(String(data)) as Message));
  }

  /** @param port of a process that lets debuggers in */
  static async connect(port: number): Promise<InspectorClient> {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      webSocketDebuggerUrl: string;
    }[];
    const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl);
    atEnd(() => socket.close());
    await new Promise((done, failed) => {
      socket.addEventListener('open', done);
      socket.addEventListener('error', failed);
    });
    return new InspectorClient(socket);
  }

  async send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<Message>((done) => this.#answers.set(id, done));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  /** The next event of the kind that fits and was not taken yet. */
  async next<T>(method: string, fits: (params: T) => boolean = () => true): Promise<T> {
    for (;;) {
      const at = this.#events.findIndex((event) => event.method === method && fits(event.params as T));
      if (at >= 0) return this.#events.splice(at, 1)[0]!.params as T;
      await new Promise<void>((done) => (this.#wake = done));
    }
  }

  close(): void {
    this.#socket.close();
  }

  #receive(message: Message): void {
    if (message.id !== undefined) this.#answers.get(message.id)?.(message);
    else {
      this.#events.push({ method: message.method!, params: message.params });
      this.#wake();
    }
  }
}
