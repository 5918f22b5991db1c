// Trailers: checks a request's body against the CRC-32 in its trailers, and gives the answer one.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  Body,
  Reply,
  RootContext,
  StreamContext,
  registerRoot,
  requestBody,
  requestTrailers,
  responseBody,
  responseTrailers,
  utf8,
} from '@weir/filters-sdk/assembly';

const CHECKSUM = utf8('x-crc32');
const damaged = Reply.problem(400, 'Bad Request', 'the checksum is that of another body', 'bad_checksum');

class ChecksumRoot extends RootContext {
  createStream(): StreamContext {
    return new Checksum();
  }
}

class Checksum extends StreamContext {
  private answer: u32 = 0;

  onRequestBody(_size: i32, endOfStream: bool): Action {
    // Held, so that nothing of a damaged body goes upstream. Where there are trailers, they end the stream.
    return endOfStream ? Action.Continue : Action.Pause;
  }

  onRequestTrailers(_count: i32): Action {
    const expected = requestTrailers.get(CHECKSUM);
    if (expected === null) return Action.Continue;
    return expected.equals(hex(crc(0, requestBody))) ? Action.Continue : damaged.send();
  }

  onResponseBody(_size: i32, endOfStream: bool): Action {
    // Each part as it comes: an answer is not gathered.
    this.answer = crc(this.answer, responseBody);
    if (endOfStream) responseTrailers.set(CHECKSUM, hex(this.answer));
    return Action.Continue;
  }

  recycle(): bool {
    this.answer = 0;
    return true;
  }
}

/** CRC-32 of what has the checksum `before`, and this body behind it (RFC 1952, section 8). */
function crc(before: u32, body: Body): u32 {
  const bytes = body.read();
  let value = ~before;
  for (let i = 0; i < bytes.length; i++) {
    value = load<u32>(TABLE + 4 * ((value ^ bytes.at(i)) & 255)) ^ (value >> 8);
  }
  return ~value;
}

const TABLE = memory.data(1024);
for (let i: u32 = 0; i < 256; i++) {
  let value = i;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? 0xedb88320 ^ (value >> 1) : value >> 1;
  store<u32>(TABLE + 4 * i, value);
}

function hex(value: u32): string {
  return value.toString(16).padStart(8, '0');
}

registerRoot(new ChecksumRoot());
