import { HOST_FUNCTIONS } from '../../src/runtime/wasm/abi.ts';
import { ModuleEncoder, op } from './wasm-encoder.ts';
import { guest, type GuestOptions, type Script, type Scripts } from './wasm-guest.ts';
import { wat } from './wat.ts';

/** A module that means harm, and where it does it. */
export interface Hostile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /**
   * When it is stopped. `request` and `answer`: in a callback for a head or a body, so the request fails.
   * `end`: when the stream is over, so the request is well. `harmless`: it is not.
   */
  readonly when: 'request' | 'answer' | 'end' | 'harmless';
}

const endless = (script: Script): void => void script.run(op.endless);
/** Every guest of the encoder imports all host functions, in the order of the table. */
const HOST_CALLS = HOST_FUNCTIONS.map(({ name }) => name);
const LOOP = 0x03;
const EMPTY = 0x40;

/** `loop … br 0 end` around what a script does. */
function over(body: (script: Script) => void): (script: Script) => void {
  return (script) => {
    script.run([LOOP, EMPTY]);
    body(script);
    script.run([0x0c, 0, 0x0b]);
  };
}

/** Reads a field, so that the allocator is called. */
const reads = (script: Script): void => {
  const [name, size] = script.text('user-agent');
  script.call('proxy_get_header_map_value', 0, name, size, script.out(0), script.out(1));
};

function inCallback(
  name: string,
  callback: string,
  body: (script: Script) => void,
  when: Hostile['when'],
  options: GuestOptions = {},
  more: Scripts = {},
): Hostile {
  return { name, when, bytes: guest({ ...more, [callback]: body }, options) };
}

const head = 'proxy_on_request_headers';
const FAR = 0xffff_fff0;
const MIB = 1024 * 1024;

/** A body of nearly the most that it may have. */
function fillBody(script: Script): void {
  for (let i = 0; i < 15; i++) script.call('proxy_set_buffer_bytes', 0, 0x7fff_ffff, 0, 0x9000, MIB);
}

/** Written as text: what the encoder has no words for. */
function written(name: string, code: string, when: Hostile['when'] = 'request', pages = '64 64'): Hostile {
  return {
    name,
    when,
    bytes: wat(`(module (memory (export "memory") ${pages}) (tag $t)
      (table 4 funcref) (elem (i32.const 0) $bounce) (type $back (func (param i32)))
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 1024))
      (func $bounce (type $back) (call_indirect (type $back) (local.get 0) (i32.const 0)))
      (func $ping (param i32) (call $pong (local.get 0))) (func $pong (param i32) (call $ping (local.get 0)))
      (func $self (param i32) (call $self (i32.add (local.get 0) (i32.const 1))))
      (func $tail (param i32) (return_call $tail (local.get 0)))
      (func (export "${head}") (param i32 i32 i32) (result i32) (local $x i32) (local $d f64) ${code} (i32.const 0)))`),
  };
}

/** All that is known to be tried, but for starts. */
export function hostileModules(): Hostile[] {
  return [
    inCallback('an endless loop for a request head', head, endless, 'request'),
    inCallback(
      'an endless loop for a context',
      'proxy_on_context_create',
      (script) => {
        // Not for the root context, whose parent is 0.
        script.run(op.localGet(1), [0x04, EMPTY], op.endless, [0x0b]);
      },
      'request',
      {},
      { [head]: () => {} },
    ),
    inCallback('an endless loop for a request body', 'proxy_on_request_body', endless, 'request'),
    inCallback('an endless loop for an answer head', 'proxy_on_response_headers', endless, 'answer'),
    inCallback('an endless loop for an answer body', 'proxy_on_response_body', endless, 'answer'),
    inCallback('an endless loop at the end', 'proxy_on_done', endless, 'end', {}, { [head]: () => {} }),
    inCallback('an endless loop in the log', 'proxy_on_log', endless, 'end', {}, { [head]: () => {} }),
    inCallback('an endless loop when deleted', 'proxy_on_delete', endless, 'end', {}, { [head]: () => {} }),
    inCallback('an endless loop in the allocator', head, reads, 'request', {
      allocate: [...op.endless, ...op.i32(0)],
    }),
    inCallback(
      'log lines without an end',
      head,
      over((script) => {
        const [text, size] = script.text('noise');
        script.call('proxy_log', 2, text, size);
      }),
      'request',
    ),
    inCallback(
      'reading all fields without an end',
      head,
      over((script) => script.call('proxy_get_header_map_pairs', 0, script.out(0), script.out(1))),
      'request',
      {
        allocate: op.i32(0x9000),
      },
    ),
    inCallback(
      'writing fields without an end',
      head,
      over((script) => {
        const [name, size] = script.text('x-more');
        script.call('proxy_add_header_map_value', 0, name, size, name, size);
      }),
      'request',
    ),
    inCallback(
      'large values without an end',
      head,
      over((script) => {
        const [name, size] = script.text('x-large');
        script.call('proxy_replace_header_map_value', 0, name, size, 0x9000, 60_000);
      }),
      'request',
      { pages: 4 },
    ),
    inCallback(
      'defining metrics without an end',
      head,
      over((script) => {
        const [name, size] = script.text('m');
        script.call('proxy_define_metric', 0, name, size, script.out(0));
      }),
      'request',
    ),
    inCallback(
      'shared data without an end',
      head,
      over((script) => {
        const [key, size] = script.text('k');
        script.call('proxy_set_shared_data', key, size, 0x9000, 60_000, 0);
      }),
      'request',
      { pages: 4 },
    ),
    inCallback(
      'bodies made larger without an end',
      'proxy_on_request_body',
      over((script) => {
        script.call('proxy_set_buffer_bytes', 0, 0x7fff_ffff, 0, 0x9000, 60_000);
      }),
      'request',
      { pages: 4 },
    ),
    inCallback(
      'a byte before a large body, put in and taken out without an end',
      'proxy_on_request_body',
      (script) => {
        fillBody(script);
        over((again) => {
          again.call('proxy_set_buffer_bytes', 0, 0, 0, 0x9000, 1);
          again.call('proxy_set_buffer_bytes', 0, 0, 1, 0x9000, 0);
        })(script);
      },
      'request',
      { pages: 20 },
    ),
    inCallback(
      'reading a large body without an end',
      'proxy_on_request_body',
      (script) => {
        fillBody(script);
        over((again) => again.call('proxy_get_buffer_bytes', 0, 0, 0x7fff_ffff, again.out(0), again.out(1)))(
          script,
        );
      },
      'request',
      { pages: 256, allocate: op.i32(0x10_0000) },
    ),
    inCallback(
      'looking for a field among a thousand without an end',
      head,
      (script) => {
        const [name, size] = script.text('x-many');
        for (let i = 0; i < 1000; i++) script.call('proxy_add_header_map_value', 0, name, size, name, size);
        const [missing, length] = script.text('x-none');
        over((again) => {
          again.call('proxy_get_header_map_value', 0, missing, length, again.out(0), again.out(1));
          again.call('proxy_remove_header_map_value', 0, missing, length);
        })(script);
      },
      'request',
    ),
    inCallback(
      'text in a million pieces without an end',
      head,
      over((script) => script.call('fd_write', 1, 0, 1_000_000, script.out(0))),
      'request',
      { pages: 128 },
    ),
    inCallback(
      'text in many pieces without an end',
      head,
      over((script) => script.call('fd_write', 1, 0x9000, 1000, script.out(0))),
      'request',
    ),
    inCallback(
      'keys and names of a MiB without an end',
      head,
      over((script) => {
        script.call('proxy_get_shared_data', 0x9000, MIB, script.out(0), script.out(1), script.out(2));
        script.call('proxy_register_shared_queue', 0x9000, MIB, script.out(0));
      }),
      'request',
      { pages: 20 },
    ),
    inCallback(
      'pointers beyond 4 GiB without an end',
      head,
      over((script) => {
        script.call('proxy_log', 2, FAR, FAR);
        script.call('proxy_set_header_map_pairs', 0, FAR, FAR);
        script.call('proxy_get_buffer_bytes', 0, FAR, FAR, FAR, FAR);
        script.call('proxy_http_call', FAR, FAR, FAR, FAR, FAR, FAR, FAR, FAR, FAR, FAR);
      }),
      'request',
    ),
    inCallback('an allocator that gives what does not exist', head, reads, 'request', {
      allocate: op.i32(-16),
    }),
    inCallback('an allocator that gives nothing', head, reads, 'harmless', { allocate: op.i32(0) }),
    inCallback('an allocator that calls the host', head, reads, 'request', {
      encode: (encoder: ModuleEncoder) => {
        encoder.export(
          'proxy_on_memory_allocate',
          encoder.function('i', 'i', [
            ...op.call(HOST_CALLS.indexOf('proxy_done')),
            ...op.drop,
            ...op.i32(0x9000),
          ]),
        );
      },
    }),
    inCallback('an allocator that grows the memory', head, over(reads), 'request', {
      allocate: [...op.i32(1), ...op.grow, ...op.drop, ...op.i32(0x9000)],
    }),
    written('recursion', '(call $self (i32.const 0))'),
    written('recursion of two', '(call $ping (i32.const 0))'),
    written('recursion through a table', '(call_indirect (type $back) (i32.const 0) (i32.const 0))'),
    written('tail calls', '(call $tail (i32.const 0))'),
    written(
      'filling all of the memory again and again',
      '(loop $l (memory.fill (i32.const 0) (local.get $x) (i32.const 4194304)) (br $l))',
    ),
    written(
      'copying all of the memory again and again',
      '(loop $l (memory.copy (i32.const 0) (i32.const 1) (i32.const 4194303)) (br $l))',
    ),
    written(
      'many fills without a loop',
      '(memory.fill (i32.const 0) (i32.const 1) (i32.const 4194304))'.repeat(300),
    ),
    written('filling more than there is', '(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))'),
    written(
      'a memory that is never large enough',
      '(loop $l (drop (memory.grow (i32.const 16))) (memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16))) (br $l))',
      'request',
      '1',
    ),
    written(
      'a table that is never large enough',
      '(loop $l (drop (table.grow 0 (ref.null func) (i32.const 1000))) (br $l))',
    ),
    written(
      'loads that miss every cache',
      `(loop $l
      (local.set $x (i32.load (i32.and (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)) (i32.const 0x3ffffc))))
      (i32.store (i32.and (i32.mul (local.get $x) (i32.const 22695477)) (i32.const 0x3ffffc)) (i32.add (local.get $x) (i32.const 12345)))
      (br $l))`,
    ),
    written(
      'divisions',
      '(loop $l (local.set $d (f64.sqrt (f64.div (f64.const 1) (f64.add (local.get $d) (f64.const 3))))) (br $l))',
    ),
    written('exceptions', '(loop $l (try (do (throw $t)) (catch_all)) (br $l))'),
    written('an endless loop in a catch', '(try (do (throw $t)) (catch_all (loop $l (br $l))))'),
    written('catching whatever stops it', '(loop $o (try (do (loop $l (br $l))) (catch_all)) (br $o))'),
  ];
}

/** Modules that do harm before any request; their budget is that of the start. */
export function hostileStarts(): Hostile[] {
  const fine: Scripts = { [head]: () => {} };
  const named = (name: string, scripts: Scripts, options: GuestOptions = {}): Hostile => ({
    name,
    when: 'harmless',
    bytes: guest({ ...fine, ...scripts }, options),
  });
  return [
    named('an endless start function', {}, { start: endless }),
    named('an endless _initialize', {}, { functions: { _initialize: endless } }),
    named('an endless _start', {}, { functions: { _start: endless } }),
    named('an endless proxy_on_vm_start', { proxy_on_vm_start: endless }),
    named('an endless proxy_on_configure', { proxy_on_configure: endless }),
    named(
      'an endless allocator in proxy_on_configure',
      {
        proxy_on_configure: (script) => {
          script.call('proxy_get_buffer_bytes', 7, 0, 100, script.out(0), script.out(1)).return(1);
        },
      },
      { allocate: [...op.endless, ...op.i32(0)] },
    ),
  ];
}
