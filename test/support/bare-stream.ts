import { BodyBuffer } from '../../src/runtime/http/body.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import { StateMap } from '../../src/runtime/wasm/state-map.ts';
import type {
  AttributeValue,
  LocalReply,
  StateValue,
  StreamHost,
} from '../../src/runtime/wasm/stream-host.ts';

export type Fields = readonly (readonly [name: string, value: string])[];

/** `MapType` 0 to 3. */
const KINDS = [
  MessageKind.Request,
  MessageKind.Trailers,
  MessageKind.Response,
  MessageKind.Trailers,
] as const;

/** What a request has where a test does not say. */
const REQUEST: Fields = [
  [':method', 'GET'],
  [':path', '/'],
  [':authority', 'example.test'],
  [':scheme', 'http'],
];

/**
 * A stream without a chain: the real header blocks and bodies, and a record of what a guest asked for.
 * The test plays the proxy: it lays down a message, calls the context, looks.
 */
export class BareStream implements StreamHost {
  protocol: StreamHost['protocol'] = 'http';
  guestMs = 0;
  /** What was asked for, in order. */
  readonly replies: LocalReply[] = [];
  readonly resumed: number[] = [];
  readonly closed: number[] = [];
  readonly failed: StreamContext[] = [];
  readonly attributes = new Map<string, AttributeValue>();
  readonly kept = new StateMap();
  routeCacheClears = 0;
  /** The last bytes of the body are shown: trailers may be added. */
  takesTrailers = false;
  /** Called when a paused stream is resumed, as the chain would go on from there. */
  onResume: (type: number, context: StreamContext) => void = () => {};

  readonly #maps: (HeaderBlock | null)[] = [null, null, null, null];
  readonly #bodies: (BodyBuffer | null)[] = [null, null, null, null];
  readonly #released = new Set<number>();

  /** Lays down a request head; pseudo-headers that are not given are those of `GET http://example.test/`. */
  request(fields: Fields = []): HeaderBlock {
    const given = new Set(fields.map(([name]) => name));
    return this.#lay(0, [...REQUEST.filter(([name]) => !given.has(name)), ...fields]);
  }

  requestTrailers(fields: Fields): HeaderBlock {
    return this.#lay(1, fields);
  }

  response(fields: Fields = [[':status', '200']]): HeaderBlock {
    return this.#lay(2, fields);
  }

  responseTrailers(fields: Fields): HeaderBlock {
    return this.#lay(3, fields);
  }

  /** Lays down what a callback for bodies or data may read: `BufferType` 0 to 3. Null takes it away. */
  setBody(type: number, bytes: string | Buffer | null): void {
    if (bytes === null) {
      this.#bodies[type] = null;
      return;
    }
    const data = Buffer.from(bytes);
    const body = new BodyBuffer();
    body.append(data, 0, data.length);
    this.#bodies[type] = body;
  }

  bodyText(type: number): string {
    return this.#bodies[type]?.view().toString() ?? '';
  }

  /** From here on the map may be read and not changed: its message was sent on. */
  release(type: number): void {
    this.#released.add(type);
  }

  #lay(type: number, fields: Fields): HeaderBlock {
    const block = new HeaderBlock();
    block.reset(KINDS[type]!);
    for (const [name, value] of fields) {
      const index = name.startsWith(':') ? block.indexOf(Buffer.from(name)) : -1;
      if (index >= 0) block.setValueText(index, value);
      else block.appendText(name, value);
    }
    this.#maps[type] = block;
    return block;
  }

  headerMap(type: number): HeaderBlock | null {
    return this.#maps[type] ?? null;
  }

  addTrailers(type: number, _context: StreamContext): HeaderBlock | null {
    return this.takesTrailers ? this.#lay(type, []) : null;
  }

  mayWriteMap(type: number): boolean {
    return !this.#released.has(type);
  }

  body(type: number, _context: StreamContext): BodyBuffer | null {
    return this.#bodies[type] ?? null;
  }

  attribute(path: string): AttributeValue | undefined {
    return this.attributes.get(path);
  }

  state(key: string): StateValue | undefined {
    return this.kept.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.kept.withPrefix(prefix);
  }

  setState(key: string, value: StateValue): boolean {
    return this.kept.set(key, value);
  }

  clearRouteCache(): void {
    this.routeCacheClears++;
  }

  resume(type: number, context: StreamContext): void {
    this.resumed.push(type);
    this.onResume(type, context);
  }

  close(type: number): void {
    this.closed.push(type);
  }

  localReply(reply: LocalReply, _context: StreamContext): void {
    this.replies.push(reply);
  }

  contextFailed(context: StreamContext): void {
    this.failed.push(context);
  }
}
