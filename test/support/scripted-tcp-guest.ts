import { compileAssemblyScript } from './assemblyscript.ts';
import { GUEST_SDK } from './guest-sdk.ts';

const ENV = `
  export declare function proxy_set_buffer_bytes(type: i32, start: i32, size: i32, data: usize, length: i32): i32;
  export declare function proxy_continue_stream(type: i32): i32;
  export declare function proxy_close_stream(type: i32): i32;
  export declare function proxy_set_effective_context(context: i32): i32;
  export declare function proxy_set_tick_period_milliseconds(period: i32): i32;
  export declare function proxy_get_property(path: usize, pathSize: i32, outData: usize, outSize: usize): i32;
  export declare function proxy_set_property(path: usize, pathSize: i32, value: usize, valueSize: i32): i32;
  export declare function proxy_define_metric(type: i32, name: usize, size: i32, id: usize): i32;
  export declare function proxy_increment_metric(id: i32, by: i64): i32;
  export declare function proxy_call_foreign_function(name: usize, nameSize: i32, args: usize, argsSize: i32, outData: usize, outSize: usize): i32;
`;

const ENTRY = `
  export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
  import { configuration, log } from "./guest";
  import * as env from "./env";
  let steps = new Array<string>();
  const out = memory.data(8);
  /** Context, and what is to be continued at the next tick; 9 traps. */
  const waiting = new Array<i32>();
  export function proxy_on_configure(root: i32, size: i32): i32 {
    steps = configuration().split(";");
    return 1;
  }
  function given(): string {
    const at = load<usize>(out);
    const text = String.UTF8.decodeUnsafe(at, load<i32>(out, 4));
    if (at != 0) heap.free(at);
    return text;
  }
  function data(buffer: i32): string {
    return env.proxy_get_buffer_bytes(buffer, 0, i32.MAX_VALUE, out, out + 4) == 0 ? given() : "(none)";
  }
  function put(buffer: i32, start: i32, size: i32, text: string): void {
    const t = String.UTF8.encode(text);
    const status = env.proxy_set_buffer_bytes(buffer, start, size, changetype<usize>(t), t.byteLength);
    if (status != 0) log("set_buffer_bytes " + status.toString());
  }
  function property(path: string): ArrayBuffer {
    return String.UTF8.encode(path.split(".").join(String.fromCharCode(0)));
  }
  function cluster(name: string): void {
    const key = "envoy.tcp_proxy.cluster";
    const args = new Uint8Array(4 + key.length + name.length);
    args[0] = 0x0a; args[1] = <u8>key.length; args[2 + key.length] = 0x12; args[3 + key.length] = <u8>name.length;
    for (let i = 0; i < key.length; i++) args[2 + i] = <u8>key.charCodeAt(i);
    for (let i = 0; i < name.length; i++) args[4 + key.length + i] = <u8>name.charCodeAt(i);
    const f = String.UTF8.encode("set_envoy_filter_state");
    const status = env.proxy_call_foreign_function(changetype<usize>(f), f.byteLength, args.dataStart, args.length, out, out + 4);
    if (status != 0) log("set_envoy_filter_state " + status.toString());
  }
  function count(name: string): void {
    const n = String.UTF8.encode(name);
    env.proxy_define_metric(0, changetype<usize>(n), n.byteLength, out);
    env.proxy_increment_metric(load<i32>(out), 1);
  }
  function later(context: i32, what: i32): void {
    waiting.push(context); waiting.push(what);
    env.proxy_set_tick_period_milliseconds(20);
  }
  export function proxy_on_tick(root: i32): void {
    env.proxy_set_tick_period_milliseconds(0);
    while (waiting.length > 0) {
      const what = waiting.pop(), context = waiting.pop();
      if (env.proxy_set_effective_context(context) != 0) continue;
      if (what == 9) unreachable();
      else if (what >= 4) env.proxy_close_stream(what - 4 + 2);
      else env.proxy_continue_stream(what);
    }
  }
  function run(context: i32, phase: string, buffer: i32, size: i32, ended: bool): i32 {
    let result = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i].split(" ");
      if (step[0] != phase) continue;
      const verb = step[1], a = step.length > 2 ? step[2] : "";
      if (verb == "log") log(a + " " + size.toString() + (ended ? " end" : ""));
      else if (verb == "data") log(a + " " + data(buffer));
      else if (verb == "stop") result = 1;
      else if (verb == "gather") { if (size < I32.parseInt(a) && !ended) result = 1; }
      else if (verb == "trap") unreachable();
      else if (verb == "trapAt") { if (data(buffer).includes(a)) unreachable(); }
      else if (verb == "write") put(buffer, 0, i32.MAX_VALUE, a);
      else if (verb == "append") put(buffer, i32.MAX_VALUE, 0, a);
      else if (verb == "upper") put(buffer, 0, i32.MAX_VALUE, data(buffer).toUpperCase());
      else if (verb == "wrap") put(buffer, 0, i32.MAX_VALUE, a + "(" + data(buffer) + ")");
      else if (verb == "drop") put(buffer, 0, i32.MAX_VALUE, "");
      else if (verb == "close") env.proxy_close_stream(I32.parseInt(a));
      else if (verb == "continue") env.proxy_continue_stream(I32.parseInt(a));
      else if (verb == "closeIf") { if (data(buffer).includes(a)) env.proxy_close_stream(2); }
      else if (verb == "later") { later(context, I32.parseInt(a)); result = 1; }
      else if (verb == "count") count(a);
      else if (verb == "cluster") cluster(a);
      else if (verb == "keep") { const p = property("kept"), v = String.UTF8.encode(a); env.proxy_set_property(changetype<usize>(p), p.byteLength, changetype<usize>(v), v.byteLength); }
      else if (verb == "property") {
        const p = property(a);
        const status = env.proxy_get_property(changetype<usize>(p), p.byteLength, out, out + 4);
        if (status != 0) log(a + " NotFound");
        else if (step.length > 3) { log(a + " " + load<i64>(load<usize>(out)).toString()); given(); }
        else log(a + " " + given());
      }
    }
    return result;
  }
  export function proxy_on_new_connection(context: i32): i32 { return run(context, "new", 0, 0, false); }
  export function proxy_on_downstream_data(context: i32, size: i32, ended: i32): i32 { return run(context, "down", 2, size, ended != 0); }
  export function proxy_on_upstream_data(context: i32, size: i32, ended: i32): i32 { return run(context, "up", 3, size, ended != 0); }
  export function proxy_on_downstream_connection_close(context: i32, by: i32): void { run(context, "dclose", 0, by, false); }
  export function proxy_on_upstream_connection_close(context: i32, by: i32): void { run(context, "uclose", 0, by, false); }
  export function proxy_on_done(context: i32): i32 { run(context, "done", 0, 0, false); return 1; }
  export function proxy_on_log(context: i32): void { run(context, "log", 0, 0, false); }
  export function proxy_on_delete(context: i32): void { run(context, "delete", 0, 0, false); }
`;

/**
 * A filter of TCP whose configuration says what each of its callbacks does: steps joined by `;`, each
 * `phase verb arguments`. Phases: new down up dclose uclose done log delete. `later N` stops, and at the
 * next tick continues stream type N, or closes N - 2 where N is 4 or 5, or traps where it is 9.
 */
export function scriptedTcpGuest(): Promise<Uint8Array> {
  return compileAssemblyScript({ 'index.ts': ENTRY, ...GUEST_SDK, 'env.ts': GUEST_SDK['env.ts']! + ENV });
}
