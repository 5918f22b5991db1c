import { STREAM_ATTRIBUTES } from '../../src/runtime/stream-attributes.ts';
import { TCP_ATTRIBUTES } from '../../src/runtime/tcp/tcp-attributes.ts';
import type { AttributePhase, AttributeRow } from '../../src/runtime/wasm/attribute-table.ts';
import { HOST_ATTRIBUTES } from '../../src/runtime/wasm/host-attributes.ts';

const FROM: Readonly<Record<AttributePhase, string>> = {
  always: 'always, in root contexts too',
  connection: 'from the start of the stream',
  request: 'from the request’s head on',
  route: 'from routing on, which comes before the first filter',
  attempt: 'from the first attempt on: in callbacks of the answer and at the end',
  answer: 'from the answer’s head on',
  end: 'at the end',
  never: 'never: NotFound',
};

const ENCODING: Readonly<Record<AttributeRow<never>['type'], readonly [envoy: string, text: string]>> = {
  string: ['the text', 'the same'],
  bytes: ['the bytes', 'the same'],
  address: ['`192.0.2.1:80`, `[2001:db8::1]:80`', '`192.0.2.1`, `2001:db8::1`'],
  int: ['i64, 8 bytes', 'decimal'],
  uint: ['u64, 8 bytes', 'decimal'],
  double: ['f64, 8 bytes', 'decimal'],
  bool: ['1 byte, 0 or 1', '`true`, `false`'],
  time: ['i64 nanoseconds since 1970, 8 bytes', 'seconds since 1970, `1700000000.042`'],
  duration: ['i64 nanoseconds, 8 bytes', 'seconds, `0.005`'],
  map: ['header map layout, each value by its own type', 'the same, values as text'],
  list: ['header map layout, elements as names, values empty', 'the same, elements as text'],
  message: ['protobuf', 'protobuf'],
  group: ['only parts of it; all of it is SerializationFailure', 'the same'],
};

function table(rows: readonly Pick<AttributeRow<never>, 'path' | 'type' | 'from' | 'note'>[]): string[] {
  return [
    '| Property | Type | From | |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ path, type, from, note }) => `| \`${path}\` | ${type} | ${from} | ${note} |`),
  ];
}

/** docs/properties.md: what `proxy_get_property` finds. */
export function propertiesMarkdown(generated: string): string {
  const used = new Set([...STREAM_ATTRIBUTES.rows, ...HOST_ATTRIBUTES.rows].map(({ from }) => from));
  return `${[
    '# Properties',
    '',
    generated,
    '',
    'What `proxy_get_property` finds, and what the variables of CEL expressions ([foreign-functions.md](foreign-functions.md))',
    'are. The segments of a path are separated by NUL, here by a dot. A path that leads nowhere, and one whose time has',
    'not come, is NotFound; `request`, `xds` and their like as a whole are SerializationFailure. Properties of credentials are hidden from modules without the capability `secrets`',
    '([capabilities.md](capabilities.md)).',
    '',
    '## Of a stream',
    '',
    ...table(STREAM_ATTRIBUTES.rows),
    '',
    '## Of a TCP stream',
    '',
    'Nothing of a request or an answer. An attempt is one to connect.',
    '',
    ...table(TCP_ATTRIBUTES.rows),
    '',
    '## Of the plugin and what filters keep',
    '',
    ...table(HOST_ATTRIBUTES.rows),
    '| `<path>` | bytes | request | what a filter set with `proxy_set_property` under this path |',
    '',
    'From when on:',
    '',
    ...Object.entries(FROM)
      .filter(([phase]) => used.has(phase as AttributePhase))
      .map(([phase, text]) => `- ${phase}: ${text}`),
    '',
    '`test/runtime/properties.test.ts` reads each of them on a listening weir, `test/runtime/certificate-attributes.test.ts` those',
    'of certificates, `test/runtime/tcp/` those of TCP; `test/envoy/properties.envoy.test.ts` compares them with Envoy.',
    '',
    '## Encodings',
    '',
    "`properties` of a filter in a FilterChain chooses between Envoy's and text, which filters made for ngx_wasm_module read.",
    '',
    '| Type | `Envoy` | `Text` |',
    '| --- | --- | --- |',
    ...Object.entries(ENCODING).map(([type, [envoy, text]]) => `| ${type} | ${envoy} | ${text} |`),
    '',
    'A path may go on into a map, a message or a list (by decimal index): the part is encoded by its own type, as in Envoy.',
    '',
    '## Writing',
    '',
    '`proxy_set_property` keeps a value, of at most 64 KiB, for the stream, under its whole path. Every later callback of',
    'every filter of the stream reads it under that path, or as `filter_state` with the segment `wasm.<path>`, and so do',
    'expressions. A path that is built in stays what it is: the write is Ok and the built-in value is read. At most 256 are',
    'kept. `declare_property` makes one read-only (a second write is BadArgument, whoever writes), text for expressions, or',
    'keeps it for the later streams of the connection.',
    '',
    '## Metadata',
    '',
    'Annotations of objects are metadata: `prefix/name: value` of an HTTPRoute is',
    '`route_metadata.filter_metadata.<prefix>.<name>`, as text; one without a prefix has the prefix `weir`. In Envoy these are',
    'set in the route, cluster and listener.',
  ].join('\n')}\n`;
}
