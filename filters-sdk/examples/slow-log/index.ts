// Log: one line of JSON for each request that failed or took long, when it is over and everything is known.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  ByteWriter,
  Bytes,
  RootContext,
  StreamContext,
  integerProperty,
  logWarn,
  now,
  property,
  propertyPath,
  registerRoot,
  requestHeaders,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const METHOD = utf8(':method');
const PATH = utf8(':path');
const REQUEST_ID = utf8('x-request-id');
const CODE = propertyPath('response.code');
const DETAILS = propertyPath('response.code_details');
const HEX = utf8('0123456789abcdef');

const line = new ByteWriter(512);

class SlowRoot extends RootContext {
  slowerThan: i64 = 0;

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.slowerThan = config.duration('slowerThan', 1, 3_600_000, 1000);
    return config.end();
  }

  createStream(): StreamContext {
    return new Timed(this);
  }
}

class Timed extends StreamContext {
  private begun: i64 = 0;

  constructor(private root: SlowRoot) {
    super();
  }

  onRequestHeaders(_count: i32, _endOfStream: bool): Action {
    this.begun = now();
    return Action.Continue;
  }

  onLog(): void {
    const took = (now() - this.begun) / 1_000_000;
    const code = integerProperty(CODE, 0);
    if (took < this.root.slowerThan && code < 500) return;
    line.clear().add('{"code":').addNumber(code).add(',"ms":').addNumber(took);
    member('method', requestHeaders.get(METHOD));
    member('path', requestHeaders.get(PATH));
    member('id', requestHeaders.get(REQUEST_ID));
    if (code >= 500) member('details', property(DETAILS));
    logWarn(line.add('}').view());
  }
}

/** A member with a text, where there is one. */
function member(name: string, value: Bytes | null): void {
  if (value === null) return;
  line.add(',"').add(name).add('":"');
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    if (byte == 34 || byte == 92) line.addByte(92).addByte(byte);
    else if (byte >= 32) line.addByte(byte);
    else
      line
        .add('\\u00')
        .addByte(load<u8>(changetype<usize>(HEX) + (byte >> 4)))
        .addByte(load<u8>(changetype<usize>(HEX) + (byte & 15)));
  }
  line.addByte(34);
}

registerRoot(new SlowRoot());
