import { BufferType, MapType } from '../abi.ts';
import type { StreamContext } from '../context.ts';
import type { RecordedBytes, RecordedFields, RecordedState } from './record.ts';
import type { Writer } from './writer.ts';

const MAPS = [
  MapType.RequestHeaders,
  MapType.RequestTrailers,
  MapType.ResponseHeaders,
  MapType.ResponseTrailers,
] as const;
const HTTP_BODIES = [BufferType.RequestBody, BufferType.ResponseBody] as const;
const TCP_DATA = [BufferType.DownstreamData, BufferType.UpstreamData] as const;

type Changes = Omit<RecordedState, 'has' | 'writable'>;

/**
 * What a guest sees of one stream, as it was written down last. A state names what has changed since, be it by
 * the guest, by another filter, or by what arrived.
 */
export class StreamView {
  readonly context: StreamContext;
  readonly #writer: Writer;
  readonly #maps = new Map<number, string>();
  readonly #bodies = new Map<number, string>();

  constructor(context: StreamContext, writer: Writer) {
    this.context = context;
    this.#writer = writer;
  }

  /** @param readOnly the stream is over */
  state(readOnly: boolean): RecordedState {
    const { stream } = this.context;
    if (stream === null) return { has: '', writable: '' };
    let has = '';
    let writable = '';
    if (stream.protocol === 'http')
      for (const map of MAPS) {
        if (stream.headerMap(map) !== null) has += map;
        if (!readOnly && stream.mayWriteMap(map)) writable += map;
      }
    return { has, writable, ...this.changes() };
  }

  changes(): Changes {
    const maps = this.#changedMaps();
    const bodies = this.#changedBodies();
    return { ...(maps === null ? {} : { maps }), ...(bodies === null ? {} : { bodies }) };
  }

  #changedMaps(): Record<string, RecordedFields> | null {
    const { stream } = this.context;
    if (stream === null || stream.protocol !== 'http') return null;
    let changed: Record<string, RecordedFields> | null = null;
    for (const map of MAPS) {
      const block = stream.headerMap(map);
      if (block === null) continue;
      const fields = this.#writer.fields(block);
      const text = JSON.stringify(fields);
      if (this.#maps.get(map) === text) continue;
      this.#maps.set(map, text);
      (changed ??= {})[map] = fields;
    }
    return changed;
  }

  #changedBodies(): Record<string, RecordedBytes | null> | null {
    const { stream } = this.context;
    if (stream === null) return null;
    let changed: Record<string, RecordedBytes | null> | null = null;
    for (const type of stream.protocol === 'http' ? HTTP_BODIES : TCP_DATA) {
      const body = stream.body(type, this.context);
      const bytes = body === null ? null : this.#writer.body(body.view());
      const text = JSON.stringify(bytes);
      if ((this.#bodies.get(type) ?? 'null') === text) continue;
      this.#bodies.set(type, text);
      (changed ??= {})[type] = bytes;
    }
    return changed;
  }
}
