import { BodyBuffer } from '../runtime/http/body.ts';
import { HeaderBlock, MessageKind } from '../runtime/http/headers.ts';
import { StateMap } from '../runtime/wasm/state-map.ts';
import type { AttributeValue, StateValue, StreamHost } from '../runtime/wasm/stream-host.ts';
import {
  bytesOf,
  type RecordedBytes,
  type RecordedFields,
  type RecordedState,
} from '../runtime/wasm/tap/record.ts';

/** By `MapType`. */
const KINDS = [
  MessageKind.Request,
  MessageKind.Trailers,
  MessageKind.Response,
  MessageKind.Trailers,
] as const;

/** A stream as it was recorded: whatever a filter reads of it is true, whether the recorded one read it or not. */
export class ReplayStream implements StreamHost {
  readonly protocol: 'http' | 'tcp';
  guestMs = 0;
  readonly #maps: HeaderBlock[] = [];
  readonly #bodies: (BodyBuffer | null)[] = [];
  readonly #properties = new Map<string, RecordedBytes>();
  readonly #kept = new StateMap();
  #has = '';
  #writable = '';
  /** Maps that the recorded filter gave a message which had none. */
  mayAdd: (type: number) => boolean = () => false;

  constructor(protocol: 'http' | 'tcp') {
    this.protocol = protocol;
  }

  /** Brings it to where the recorded stream was. */
  apply(state: RecordedState): void {
    this.#has = state.has;
    this.#writable = state.writable;
    for (const [type, fields] of Object.entries(state.maps ?? {})) this.#lay(Number(type), fields);
    for (const [type, bytes] of Object.entries(state.bodies ?? {}))
      this.#bodies[Number(type)] = bodyOf(bytes);
  }

  keep(properties: Readonly<Record<string, RecordedBytes>>): void {
    for (const [path, value] of Object.entries(properties))
      this.#properties.set(path.replaceAll('.', '\0'), value);
  }

  /** Encoded as the filter gets it. */
  property(path: string): Buffer | null {
    const value = this.#properties.get(path);
    return value === undefined ? null : bytesOf(value);
  }

  /** What a map has now, or null. */
  fields(type: number): [string, string][] | null {
    return this.headerMap(type)?.entries() ?? null;
  }

  #lay(type: number, fields: RecordedFields): HeaderBlock {
    const block = blockOf(fields, KINDS[type]!);
    this.#maps[type] = block;
    return block;
  }

  headerMap(type: number): HeaderBlock | null {
    return this.#has.includes(String(type)) ? (this.#maps[type] ?? null) : null;
  }

  addTrailers(type: number): HeaderBlock | null {
    if (!this.mayAdd(type)) return null;
    this.#has += type;
    return this.#lay(type, []);
  }

  mayWriteMap(type: number): boolean {
    return this.#writable.includes(String(type));
  }

  body(type: number): BodyBuffer | null {
    return this.#bodies[type] ?? null;
  }

  attribute(path: string): AttributeValue | undefined {
    const [group, name, field] = path.split('\0');
    if (group === 'response' && name === 'code') {
      const status = this.headerMap(2)?.get(':status');
      return status === undefined ? undefined : { type: 'int', value: BigInt(status) };
    }
    const map = group === 'request' ? 0 : group === 'response' ? 2 : -1;
    const head = map < 0 ? null : this.headerMap(map);
    if (head === null) return undefined;
    if (name === 'headers' && field !== undefined) return textOf(head.get(field));
    const pseudo: Record<string, string> = {
      path: ':path',
      method: ':method',
      host: ':authority',
      scheme: ':scheme',
    };
    if (map === 0 && name === 'url_path') return textOf(head.get(':path')?.split('?', 1)[0]);
    if (map === 0 && name !== undefined && name in pseudo) return textOf(head.get(pseudo[name]!));
    if (map === 0 && name === 'useragent') return textOf(head.get('user-agent'));
    return map === 0 && name === 'referer' ? textOf(head.get('referer')) : undefined;
  }

  state(key: string): StateValue | undefined {
    return this.#kept.get(key);
  }

  states(prefix: string): (readonly [rest: string, value: StateValue])[] {
    return this.#kept.withPrefix(prefix);
  }

  setState(key: string, value: StateValue): boolean {
    return this.#kept.set(key, value);
  }

  // What comes of these is in the recording already.
  clearRouteCache(): void {}
  resume(): void {}
  close(): void {}
  localReply(): void {}
  contextFailed(): void {}
}

function textOf(value: string | undefined): AttributeValue | undefined {
  return value === undefined ? undefined : { type: 'string', value: Buffer.from(value, 'latin1') };
}

function bodyOf(bytes: RecordedBytes | null): BodyBuffer | null {
  if (bytes === null) return null;
  const data = bytesOf(bytes);
  const body = new BodyBuffer();
  body.append(data, 0, data.length);
  return body;
}

/** Fields as a block; pseudo-headers at their place. */
export function blockOf(fields: RecordedFields, kind: MessageKind): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(kind);
  for (const [name, value] of fields) {
    const [text, bytes] = [bytesOf(name), bytesOf(value)];
    const index = text[0] === 58 ? block.indexOf(text) : -1;
    if (index >= 0) block.setValue(index, bytes, 0, bytes.length);
    else block.append(text, 0, text.length, bytes, 0, bytes.length);
  }
  return block;
}
