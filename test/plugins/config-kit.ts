// A filter that reads a configuration with the SDK and logs what it found.
export * from '@weir/filters-sdk/assembly/exports';
import { RootContext, StreamContext, logInfo, registerRoot } from '@weir/filters-sdk/assembly';
import { parseDuration, readConfig } from '@weir/filters-sdk/assembly/config';
import { JsonKind, JsonValue, parseJson } from '@weir/filters-sdk/assembly/json';

class ConfigRoot extends RootContext {
  onStart(configuration: ArrayBuffer): bool {
    if (configuration.byteLength == 0) return true;
    const value = parseJson(configuration);
    if (value !== null) logInfo(print(value));
    return true;
  }

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const level = config.integer('level', -5, 5, 3);
    const name = config.text('name', String.UTF8.encode('none'));
    const on = config.boolean('on', true);
    const after = config.duration('after', 1, 60000, 5000);
    const mode = config.choice('mode', ['first', 'second']);
    const nested = config.object('nested');
    const deep = nested.integer('deep', 0, 9, -1);
    const list = config.items('list');
    const ok = config.end();
    const parts = [
      level.toString(),
      String.UTF8.decode(name),
      on.toString(),
      after.toString(),
      mode.toString(),
    ];
    logInfo(parts.join(' ') + ' ' + deep.toString() + ' ' + list.length.toString() + ' ' + ok.toString());
    return true;
  }

  createStream(): StreamContext {
    return new ConfigStream();
  }
}

class ConfigStream extends StreamContext {}

/** JSON again, with durations in milliseconds for strings that are some. */
function print(value: JsonValue): string {
  if (value.kind == JsonKind.Null) return 'null';
  if (value.kind == JsonKind.Boolean) return value.number == 1 ? 'true' : 'false';
  if (value.kind == JsonKind.Number) return value.number.toString();
  if (value.kind == JsonKind.String) {
    const duration = parseDuration(value.text);
    return duration < 0 ? '"' + String.UTF8.decode(value.text) + '"' : duration.toString() + 'ms';
  }
  const list = value.kind == JsonKind.Array;
  const parts: string[] = [];
  for (let i = 0; i < value.items.length; i++) {
    const item = value.items[i];
    parts.push((list ? '' : String.UTF8.decode(item.name) + ':') + print(item));
  }
  return (list ? '[' : '{') + parts.join(',') + (list ? ']' : '}');
}

registerRoot(new ConfigRoot());
