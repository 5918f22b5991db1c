// A filter with a member of every kind in its configuration; it logs what it read.
export * from '@weir/filters-sdk/assembly/exports';
import { RootContext, StreamContext, logInfo, registerRoot } from '@weir/filters-sdk/assembly';
import { Config, JsonKind, JsonValue, faultAt } from '@weir/filters-sdk/assembly/config';
import {
  configuration,
  derived,
  duration,
  exactlyOneOf,
  example,
  items,
  length,
  named,
  names,
  needs,
  oneOf,
  part,
  pattern,
  range,
  readConfiguration,
  schema,
  secret,
  size,
} from '@weir/filters-sdk/assembly/configuration';

enum Mode {
  Soft,
  Hard,
}

/** Where to look. */
@part
@exactlyOneOf('header', 'query')
class Place {
  /** Name of a header. */
  header: string | null = null;
  /** What stands before it there. */
  @needs('header') scheme: string | null = null;
  query: ArrayBuffer | null = null;
}

@part
class Limits {
  @range(0, 100) most: f64 = 1.5;
  tiny: i8 = -1;
}

/**
 * Everything that there is.
 *
 * In two paragraphs.
 */
@configuration({ title: 'kit', phase: 'transform', capabilities: ['headers', 'reply'] })
class Settings {
  /** Must be there. */
  @pattern('[a-z]([a-z0-9-]*[a-z0-9])?') upstream: string;
  /** What to
   * say. */
  @length(1, 8) @example('hi') greeting: string = 'hello';
  bytes: ArrayBuffer = String.UTF8.encode('raw');
  on: bool = true;
  @range(-5, 5) level: i32 = 3;
  big: u64 = 0;
  ratio: f32 = 0.5;
  @duration('1ms', '1d') after: i64 = 10_000;
  @size('1Ki', '8Mi') room: u32 = 65536;
  @oneOf('soft', 'hard') mode: Mode = Mode.Hard;
  spelled: Mode = Mode.Soft;
  @oneOf(204, 200) status: i32 = 204;
  @oneOf('a', 'b') letter: string = 'a';
  @secret key: string | null = null;
  @items(1, 3) places: Place[];
  limits: Limits = new Limits();
  @items(0, 2) @range(1, 9) numbers: i32[] = [1, 2];
  @names('[^-]+') @length(0, 3) labels: Map<string, string> = new Map<string, string>();
  nested: Map<string, Limits[]> = new Map<string, Limits[]>();
  @named('max-age') maxAge: u8 = 7;
  @items(0, 2) @schema({ anyOf: [{ type: 'string' }, { type: 'number' }] }) either: JsonValue[] = [];
  private hidden: i32 = 1;
  @derived summary: string = '';

  check(config: Config): void {
    if (this.level == 4) config.fault('level', 'four is not a level');
    for (let i = 0; i < this.either.length; i++) {
      const value = this.either[i];
      if (value.kind != JsonKind.String && value.kind != JsonKind.Number)
        faultAt(value, 'expected a text or a number');
    }
    this.summary = 'level ' + this.level.toString() + this.hidden.toString();
  }
}

class Root extends RootContext {
  onConfigure(text: ArrayBuffer): bool {
    const settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    const places = settings.places;
    const place = places[0];
    const query = place.query;
    const label = settings.labels.has('a') ? settings.labels.get('a') : '-';
    const key = settings.key;
    logInfo(
      [
        settings.upstream,
        settings.greeting,
        String.UTF8.decode(settings.bytes),
        settings.on.toString(),
        settings.level.toString(),
        settings.big.toString(),
        settings.ratio.toString(),
        settings.after.toString(),
        settings.room.toString(),
        settings.mode.toString(),
        settings.spelled.toString(),
        settings.status.toString(),
        settings.letter,
        key === null ? '-' : key,
        places.length.toString(),
        query === null ? '-' : String.UTF8.decode(query),
        settings.limits.most.toString(),
        settings.limits.tiny.toString(),
        settings.numbers.length.toString(),
        label,
        settings.nested.has('x') ? settings.nested.get('x').length.toString() : '-',
        settings.maxAge.toString(),
        settings.summary,
      ].join(' '),
    );
    return true;
  }

  createStream(): StreamContext {
    return new Stream();
  }
}

class Stream extends StreamContext {}

registerRoot(new Root());
