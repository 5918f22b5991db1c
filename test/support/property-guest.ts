import { createHash } from 'node:crypto';
import { compileAssemblyScript } from './assemblyscript.ts';
import { GUEST_SDK } from './guest-sdk.ts';

const ENV = `
  export declare function proxy_get_property(path: usize, size: i32, outData: usize, outSize: usize): i32;
  export declare function proxy_set_property(path: usize, size: i32, value: usize, valueSize: i32): i32;
  export declare function proxy_call_foreign_function(name: usize, size: i32, args: usize, argsSize: i32, outData: usize, outSize: usize): i32;
`;

const ENTRY = `
  export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
  import { configuration, log, reply } from "./guest";
  import * as env from "./env";
  const out = memory.data(8);
  let steps = new Array<string>();
  export function proxy_on_configure(root: i32, size: i32): i32 {
    steps = configuration().split("|");
    run("configure");
    return 1;
  }
  function bytesOf(text: string): ArrayBuffer { return String.UTF8.encode(text.split("/").join("\\0")); }
  function hex(): string {
    const at = load<usize>(out), size = load<i32>(out, 4);
    let text = "";
    for (let i = 0; i < size; i++) {
      const byte = load<u8>(at + i);
      text += (byte < 16 ? "0" : "") + byte.toString(16);
    }
    if (at != 0) heap.free(at);
    return text;
  }
  function get(path: string): string {
    const bytes = bytesOf(path);
    const status = env.proxy_get_property(changetype<usize>(bytes), bytes.byteLength, out, out + 4);
    return status == 0 ? path + "=" + hex() : path + "!" + status.toString();
  }
  function set(path: string, value: string): string {
    const p = bytesOf(path), v = String.UTF8.encode(value);
    return path + ":" + env.proxy_set_property(changetype<usize>(p), p.byteLength, changetype<usize>(v), v.byteLength).toString();
  }
  function call(name: string, args: ArrayBuffer): string {
    const n = String.UTF8.encode(name);
    const status = env.proxy_call_foreign_function(changetype<usize>(n), n.byteLength, changetype<usize>(args), args.byteLength, out, out + 4);
    return name + (status == 0 ? "=" + hex() : "!" + status.toString());
  }
  function evaluate(text: string): string {
    const expression = String.UTF8.encode(text);
    const n = String.UTF8.encode("expr_create");
    const status = env.proxy_call_foreign_function(changetype<usize>(n), n.byteLength, changetype<usize>(expression), expression.byteLength, out, out + 4);
    if (status != 0) return text + "!" + status.toString();
    const token = new ArrayBuffer(4);
    store<u32>(changetype<usize>(token), load<u32>(load<usize>(out)));
    return text + call("expr_evaluate", token).substring(13);
  }
  function declared(text: string): ArrayBuffer {
    const bytes = new ArrayBuffer(text.length / 2);
    for (let i = 0; i < bytes.byteLength; i++)
      store<u8>(changetype<usize>(bytes) + i, <u8>I32.parseInt(text.substr(2 * i, 2), 16));
    return bytes;
  }
  function run(phase: string): void {
    let lines = "";
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i].split(" ");
      if (step[0] != phase) continue;
      let line = "";
      if (step[1] == "get") line = get(step[2]);
      else if (step[1] == "set") line = set(step[2], step[3]);
      else if (step[1] == "cel") line = evaluate(step.slice(2).join(" "));
      else if (step[1] == "call") line = call(step[2], bytesOf(step[3]));
      else if (step[1] == "hex") line = call(step[2], declared(step[3]));
      if (phase == "log" || phase == "configure") log(line);
      else lines += line + "\\n";
    }
    if (lines != "" && phase != "quiet") reply(200, lines);
  }
  export function proxy_on_request_headers(context: i32, count: i32, ended: i32): i32 { run("quiet"); run("request"); return 0; }
  export function proxy_on_response_headers(context: i32, count: i32, ended: i32): i32 { run("response"); return 0; }
  export function proxy_on_log(context: i32): void { run("log"); }
`;

/**
 * A filter whose configuration says what it reads: steps joined by `|`, each `phase verb arguments`, the
 * segments of paths joined by `/`. Verbs: `get path`, `set path value`, `cel expression`, `call function
 * arguments`, `hex function bytes`. In the phases request and response it answers with what it read, line
 * by line, in log and configure it logs it; in quiet, at the request's head, it only does it.
 */
export async function propertyGuest(): Promise<{ readonly bytes: Uint8Array; readonly digest: string }> {
  const sources = { 'index.ts': ENTRY, ...GUEST_SDK, 'env.ts': GUEST_SDK['env.ts']! + ENV };
  // Envoy has no `env.abort`.
  const bytes = await compileAssemblyScript(sources, ['--use', 'abort=']);
  return { bytes, digest: createHash('sha256').update(bytes).digest('hex') };
}

/** What the filter read: bytes by path or expression, or the status. */
export function readings(lines: readonly string[]): Map<string, Buffer | number> {
  const found = new Map<string, Buffer | number>();
  for (const line of lines) {
    const value = /^(.*)=([0-9a-f]*)$/.exec(line);
    if (value !== null) found.set(value[1]!, Buffer.from(value[2]!, 'hex'));
    const status = /^(.*)[!:](\d+)$/.exec(line);
    if (status !== null) found.set(status[1]!, Number(status[2]));
  }
  return found;
}
