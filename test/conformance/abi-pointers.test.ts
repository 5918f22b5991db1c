// Section "Host calls" of docs/security.md: no pointer that a guest passes reads or writes outside its memory.
import { describe, expect, test } from 'vitest';
import { HOST_FUNCTIONS, Status } from '../../src/runtime/wasm/abi.ts';
import { runScript } from '../support/bare-run.ts';
import { BareStream } from '../support/bare-stream.ts';

const PAGES = 2;
const END = PAGES * 65_536;
const FAULT = 21;

/**
 * Arguments that work: a number for itself, `in` for a pointer and a size, `out4` and `out8` for a place
 * for a result. A function without a pointer is an empty text.
 */
const ARGUMENTS: Record<string, string> = {
  proxy_log: '2 in',
  proxy_get_log_level: 'out4',
  proxy_get_current_time_nanoseconds: 'out8',
  proxy_set_tick_period_milliseconds: '',
  proxy_set_effective_context: '',
  proxy_done: '',
  proxy_get_buffer_bytes: '0 0 9 out4 out4',
  proxy_get_buffer_status: '0 out4 out4',
  proxy_set_buffer_bytes: '0 0 0 in',
  proxy_get_configuration: 'out4 out4',
  proxy_get_header_map_size: '0 out4',
  proxy_get_header_map_pairs: '0 out4 out4',
  proxy_set_header_map_pairs: '0 in',
  proxy_get_header_map_value: '0 in out4 out4',
  proxy_add_header_map_value: '0 in in',
  proxy_replace_header_map_value: '0 in in',
  proxy_remove_header_map_value: '0 in',
  proxy_send_local_response: '200 in in in -1',
  proxy_continue_stream: '',
  proxy_close_stream: '',
  proxy_continue_request: '',
  proxy_continue_response: '',
  proxy_clear_route_cache: '',
  proxy_http_call: 'in in in in 100 out4',
  proxy_get_status: 'out4 out4 out4',
  proxy_grpc_call: 'in in in in in 100 out4',
  proxy_grpc_stream: 'in in in in out4',
  proxy_grpc_send: '1 in 0',
  proxy_grpc_cancel: '',
  proxy_grpc_close: '',
  proxy_get_shared_data: 'in out4 out4 out4',
  proxy_set_shared_data: 'in in 0',
  proxy_register_shared_queue: 'in out4',
  proxy_resolve_shared_queue: 'in in out4',
  proxy_enqueue_shared_queue: '1 in',
  proxy_dequeue_shared_queue: '1 out4 out4',
  proxy_define_metric: '0 in out4',
  proxy_increment_metric: '',
  proxy_record_metric: '',
  proxy_get_metric: '1 out8',
  proxy_get_property: 'in out4 out4',
  proxy_set_property: 'in in',
  proxy_call_foreign_function: 'in in out4 out4',
  emscripten_notify_memory_growth: '',
  pthread_equal: '',
  abort: '',
  seed: '',
  fd_write: '1 iovs 1 out4',
  fd_pwrite: '1 iovs 1 0n out4',
  fd_read: '',
  fd_pread: '',
  fd_seek: '',
  fd_close: '',
  fd_fdstat_get: '1 out24',
  fd_fdstat_set_flags: '',
  fd_prestat_get: '',
  fd_prestat_dir_name: '',
  fd_filestat_get: '',
  path_open: '',
  clock_time_get: '0 0n out8',
  clock_res_get: '0 out8',
  random_get: 'in',
  environ_sizes_get: 'out4 out4',
  environ_get: '',
  args_sizes_get: 'out4 out4',
  args_get: '',
  poll_oneoff: '0 0 0 out4',
  sched_yield: '',
  proc_exit: '',
};

type Values = (number | bigint)[];

/** Every way to make one pointer of a call wrong, the others being right. */
function wrongCalls(pattern: string, right: { input: number; output: number }): Values[] {
  const parts = pattern.split(' ').map((part): { good: Values; bad: Values[] } => {
    if (part === 'in') {
      return {
        good: [right.input, 4],
        bad: [
          [0xffff_ffff, 1],
          [END - 3, 4],
          [0xffff_fff0, 0x20],
          [right.input, 0xffff_ffff],
        ],
      };
    }
    if (part === 'iovs') return { good: [right.input], bad: [[END - 7], [0xffff_fffc]] };
    if (part.startsWith('out')) {
      return { good: [right.output], bad: [[END - Number(part.slice(3)) + 1], [0xffff_ffff]] };
    }
    return { good: [part.endsWith('n') ? BigInt(part.slice(0, -1)) : Number(part)], bad: [] };
  });
  return parts.flatMap(({ bad }, at) =>
    bad.map((values) => parts.flatMap((part, i) => (i === at ? values : part.good))),
  );
}

describe('a pointer out of range is answered with InvalidMemoryAccess', () => {
  test('every host function that is there is in the table of this test', () => {
    expect(Object.keys(ARGUMENTS)).toEqual(HOST_FUNCTIONS.map(({ name }) => name));
  });

  const rows = HOST_FUNCTIONS.filter(({ name }) => (ARGUMENTS[name] ?? '') !== '');
  test.each(rows.map(({ name, module }) => [name, module]))('%s', async (name, module) => {
    const stream = new BareStream();
    stream.request([['x', 'y']]);
    stream.setBody(0, 'body');
    let calls = 0;
    const run = await runScript(
      (script) => {
        const wrong = wrongCalls(ARGUMENTS[name]!, { input: script.text('text')[0], output: script.out(0) });
        calls = wrong.length;
        for (const values of wrong) script.call(name, ...values);
      },
      { pages: PAGES, maxPages: PAGES, stream },
    );
    expect(run.action).toBe(0);
    expect(calls).toBeGreaterThan(0);
    const expected = module === 'wasi' ? FAULT : Status.InvalidMemoryAccess;
    expect(run.results(calls)).toEqual(Array<number>(calls).fill(expected));
    expect(run.plugin.traps).toBe(0);
    expect(stream.headerMap(0)!.get('x')).toBe('y');
    expect(stream.bodyText(0)).toBe('body');
  });
});
