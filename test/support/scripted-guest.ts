import { compileAssemblyScript } from './assemblyscript.ts';
import { GUEST_SDK } from './guest-sdk.ts';

const ENV = `
  export declare function proxy_set_buffer_bytes(type: i32, start: i32, size: i32, data: usize, length: i32): i32;
  export declare function proxy_remove_header_map_value(map: i32, name: usize, size: i32): i32;
  export declare function proxy_http_call(upstream: usize, upstreamSize: i32, headers: usize, headersSize: i32, body: usize, bodySize: i32, trailers: usize, trailersSize: i32, timeout: i32, id: usize): i32;
  export declare function proxy_continue_stream(type: i32): i32;
  export declare function proxy_set_effective_context(context: i32): i32;
`;

const ENTRY = `
  export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
  import { configuration, header, log, reply, setHeader } from "./guest";
  import * as env from "./env";
  let steps = new Array<string>();
  let waiting = new Map<i32, i32>();
  const out = memory.data(4);
  export function proxy_on_configure(root: i32, size: i32): i32 {
    steps = configuration().split(";");
    return steps[0] == "refuse" ? 0 : 1;
  }
  function call(context: i32, upstream: string): void {
    const name = String.UTF8.encode(upstream);
    const pairs: string[] = [":method", "GET", ":path", "/check", ":authority", "check"];
    let size = 4;
    for (let i = 0; i < pairs.length; i++) size += 4 + String.UTF8.byteLength(pairs[i]) + 1;
    const at = heap.alloc(size);
    store<u32>(at, pairs.length / 2);
    let sizes = at + 4, text = at + 4 + 4 * pairs.length;
    for (let i = 0; i < pairs.length; i++) {
      const bytes = String.UTF8.encode(pairs[i]);
      store<u32>(sizes, bytes.byteLength); sizes += 4;
      memory.copy(text, changetype<usize>(bytes), bytes.byteLength);
      store<u8>(text + bytes.byteLength, 0); text += bytes.byteLength + 1;
    }
    const status = env.proxy_http_call(changetype<usize>(name), name.byteLength, at, size, 0, 0, 0, 0, 1000, out);
    heap.free(at);
    if (status != 0) { log("http_call " + status.toString()); return; }
    waiting.set(load<i32>(out), context);
  }
  function run(context: i32, phase: string, map: i32, buffer: i32, size: i32, ended: bool): i32 {
    let result = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i].split(" ");
      if (step[0] != phase) continue;
      if (step[1] == "set") setHeader(map, step[2], step[3]);
      else if (step[1] == "unset") { const n = String.UTF8.encode(step[2]); env.proxy_remove_header_map_value(map, changetype<usize>(n), n.byteLength); }
      else if (step[1] == "append") { const was = header(map, step[2]); setHeader(map, step[2], (was === null ? "" : was) + step[3]); }
      else if (step[1] == "reply") { reply(I32.parseInt(step[2]), step[3]); result = 1; }
      else if (step[1] == "stop") result = 1;
      else if (step[1] == "buffer") result = ended ? 0 : 1;
      else if (step[1] == "drop") result = 3;
      else if (step[1] == "return") result = I32.parseInt(step[2]);
      else if (step[1] == "trail") { if (ended) setHeader(map + 1, step[2], step[3]); }
      else if (step[1] == "log") log(phase + " " + size.toString() + " " + (ended ? "ended" : "more"));
      else if (step[1] == "trap") unreachable();
      else if (step[1] == "trapIf") { if (header(0, step[2]) !== null) unreachable(); }
      else if (step[1] == "call") { call(context, step[2]); result = 1; }
      else if (step[1] == "size") setHeader(map, "x-size", size.toString());
      else if (step[1] == "write") { const t = String.UTF8.encode(step[2]); env.proxy_set_buffer_bytes(buffer, 0, i32.MAX_VALUE, changetype<usize>(t), t.byteLength); }
    }
    return result;
  }
  export function proxy_on_request_headers(context: i32, count: i32, ended: i32): i32 { return run(context, "reqh", 0, 0, 0, ended != 0); }
  export function proxy_on_request_body(context: i32, size: i32, ended: i32): i32 { return run(context, "reqb", 0, 0, size, ended != 0); }
  export function proxy_on_response_headers(context: i32, count: i32, ended: i32): i32 { return run(context, "resh", 2, 1, 0, ended != 0); }
  export function proxy_on_response_body(context: i32, size: i32, ended: i32): i32 { return run(context, "resb", 2, 1, size, ended != 0); }
  export function proxy_on_http_call_response(root: i32, id: i32, headers: i32, body: i32, trailers: i32): void {
    const context = waiting.get(id);
    env.proxy_set_effective_context(context);
    run(context, "called", 0, 0, 0, true);
    const status = header(6, ":status");
    if (status !== null && status == "200") { setHeader(0, "x-checked", "yes"); env.proxy_continue_stream(0); env.proxy_continue_stream(1); }
    else reply(403, "refused");
  }
  export function proxy_on_request_trailers(context: i32, count: i32): i32 { return run(context, "reqt", 1, 0, count, true); }
  export function proxy_on_response_trailers(context: i32, count: i32): i32 { return run(context, "rest", 3, 1, count, true); }
  export function proxy_on_log(context: i32): void { run(context, "log", 0, 0, 0, true); }
`;

/**
 * A filter whose configuration says what each of its callbacks does: steps joined by `;`, each
 * `phase verb arguments`. Phases: reqh reqb reqt resh resb rest called log.
 *
 * @param change makes another filter of it
 */
export function scriptedGuest(change = (source: string): string => source): Promise<Uint8Array> {
  return compileAssemblyScript({
    'index.ts': change(ENTRY),
    ...GUEST_SDK,
    'env.ts': GUEST_SDK['env.ts']! + ENV,
  });
}
