import {
  BufferTypeValues,
  Context,
  FilterStatusValues,
  get_buffer_bytes,
  set_buffer_bytes,
} from '@gcoredev/proxy-wasm-sdk-as/assembly';
import { PeerTypeValues } from '@gcoredev/proxy-wasm-sdk-as/assembly/runtime';
import { proxy_close_stream } from './env';
import { INFO, LANGUAGE, logLine, property, text, utf8 } from './support';

const DOWNSTREAM = 2;

export class Tcp extends Context {
  onNewConnection(): FilterStatusValues {
    logLine(INFO, 'tcp from ' + text(property('source.address')).split(':')[0]);
    return FilterStatusValues.Continue;
  }

  onDownstreamData(size: usize, end: bool): FilterStatusValues {
    if (size == 0) return FilterStatusValues.Continue;
    const buffer = BufferTypeValues.NetworkDownstreamData;
    if (text(get_buffer_bytes(buffer, 0, <u32>size)) == 'deny') {
      proxy_close_stream(DOWNSTREAM);
      return FilterStatusValues.StopIteration;
    }
    set_buffer_bytes(buffer, 0, 0, utf8(LANGUAGE + ':'));
    return FilterStatusValues.Continue;
  }

  onUpstreamData(size: usize, end: bool): FilterStatusValues {
    if (size > 0) set_buffer_bytes(BufferTypeValues.NetworkUpstreamData, <u32>size, 0, utf8('!'));
    return FilterStatusValues.Continue;
  }

  onDownstreamConnectionClose(peer: PeerTypeValues): void {
    logLine(INFO, 'tcp closed');
  }

  onLog(): void {
    logLine(INFO, 'tcp done');
  }
}
