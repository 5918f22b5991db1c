/** docs/authoring/limits.md: what bounds a filter, with the numbers that the host has. */
import * as limits from '../../src/runtime/wasm/limits.ts';

type Unit = 'bytes' | 'ms' | 'count';
type Row = readonly [name: keyof typeof limits, unit: Unit, what: string, beyond: string];

const GROUPS: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  [
    'Time',
    [
      ['CALL_MS', 'ms', 'CPU time of one callback (`limits.cpuPerCall` of the Module)', 'the instance ends'],
      ['REQUEST_MS', 'ms', 'CPU time of all callbacks of a request (`cpuPerRequest`)', 'the instance ends'],
      ['REQUEST_MS_PER_MIB', 'ms', 'more for each MiB of body that is shown', ''],
      [
        'START_MS',
        'ms',
        'CPU time of a start: top-level code, `onStart`, `onConfigure` (`cpuPerStart`)',
        'the configuration is refused',
      ],
      ['DONE_MS', 'ms', 'from `onDone` that answered false to `finishRoot()`', 'it is deleted'],
      ['CALL_FRAMES', 'count', 'depth of calls (`callDepth`)', 'the instance ends'],
    ],
  ],
  [
    'Memory and modules',
    [
      [
        'INSTANCE_BYTES',
        'bytes',
        'memory of an instance (`limits.memory`)',
        'an allocation ends the instance',
      ],
      ['HEAP_BYTES', 'bytes', 'memory of all instances of a worker', 'a filter more is refused'],
      ['INSTANCES', 'count', 'instances of a worker', 'a filter more is refused'],
      ['MODULE_BYTES', 'bytes', 'a module', 'it is refused'],
      ['MODULE_FUNCTIONS', 'count', 'its functions', 'it is refused'],
    ],
  ],
  [
    'Messages',
    [
      ['MAP_FIELDS', 'count', 'fields of a message after changes', 'the change is refused'],
      ['MAP_BYTES', 'bytes', 'names and values of a message', 'the change is refused'],
      ['FIELD_NAME_BYTES', 'bytes', 'the name of a field that a filter writes', 'the change is refused'],
      ['FIELD_VALUE_BYTES', 'bytes', 'its value', 'the change is refused'],
      ['BODY_BYTES', 'bytes', 'a body after changes', 'the change is refused'],
      [
        'EFFECTS',
        'count',
        'replies, properties and the like that one callback may ask for',
        'the call is refused',
      ],
    ],
  ],
  [
    'Calls',
    [
      [
        'CALLOUTS',
        'count',
        'HTTP and gRPC calls under way, of one stream or of a root context',
        '`httpCall` answers 0',
      ],
      ['CALLOUT_MS', 'ms', 'time of a call at most', 'the answer 504'],
      ['GRPC_STREAMS', 'count', 'gRPC streams of a root context in one instance', '`grpcStream` answers 0'],
      ['GRPC_STREAM_IDLE_MS', 'ms', 'a gRPC stream without a message', 'it ends'],
    ],
  ],
  [
    'Shared data, queues, metrics',
    [
      ['SHARED_KEYS', 'count', 'keys of a VM id', '`compareAndSetShared` answers false'],
      ['SHARED_BYTES', 'bytes', 'its keys and values', '`compareAndSetShared` answers false'],
      ['QUEUES', 'count', 'queues of a VM id', '`registerQueue` answers 0'],
      ['QUEUE_ITEMS', 'count', 'items in a queue', '`enqueue` answers false'],
      ['QUEUE_BYTES', 'bytes', 'bytes in a queue', '`enqueue` answers false'],
      [
        'METRICS',
        'count',
        'metrics of a filter, each combination of labels counted',
        'a metric more counts nothing',
      ],
      ['METRIC_NAME_BYTES', 'bytes', 'the name of a metric with its labels', 'it counts nothing'],
    ],
  ],
  [
    'Logs, properties, foreign functions',
    [
      ['LOG_LINES_PER_SECOND', 'count', 'lines of a filter in a second', 'they are left out'],
      ['LOG_LINE_BYTES', 'bytes', 'a line', 'it is cut'],
      ['PROPERTIES', 'count', 'properties that filters set on a stream', '`setProperty` answers false'],
      ['PROPERTY_VALUE_BYTES', 'bytes', 'the value of one', '`setProperty` answers false'],
      ['FOREIGN_ARGUMENT_BYTES', 'bytes', 'the arguments of a foreign function', 'the call is refused'],
      ['EXPRESSIONS', 'count', 'CEL expressions of a root context', 'the call is refused'],
    ],
  ],
];

export function limitsMarkdown(generated: string): string {
  const lines = [
    '# Limits of a filter',
    '',
    generated,
    '',
    'What bounds a filter in weir, and what happens beyond. A Module, or the place in a chain, may set those whose fields are',
    'named here. How much of a body a filter may keep is `body.buffer` of its place in the chain.',
  ];
  for (const [title, rows] of GROUPS) {
    lines.push('', `## ${title}`, '', '| limit | of | beyond |', '| --- | --- | --- |');
    for (const [name, unit, what, beyond] of rows)
      lines.push(`| ${show(limits[name], unit)} | ${what} | ${beyond} |`);
  }
  return `${lines.join('\n')}\n`;
}

function show(value: number, unit: Unit): string {
  if (unit === 'ms') return value >= 1000 && value % 1000 === 0 ? `${value / 1000} s` : `${value} ms`;
  if (unit === 'count') return value.toLocaleString('en').replaceAll(',', ' ');
  if (value % limits.MiB === 0) return `${value / limits.MiB} MiB`;
  return value % limits.KiB === 0 ? `${value / limits.KiB} KiB` : `${value} bytes`;
}
