/**
 * AssemblyScript for test filters: the ABI on raw bytes, no more than the tests need. `env.ts` bears that
 * name because AssemblyScript takes an import's module from the file that declares it.
 */
export const GUEST_SDK: Readonly<Record<string, string>> = {
  'env.ts': `
    export declare function proxy_log(level: i32, at: usize, size: i32): i32;
    export declare function proxy_get_buffer_bytes(type: i32, start: i32, max: i32, outData: usize, outSize: usize): i32;
    export declare function proxy_get_header_map_value(map: i32, name: usize, size: i32, outData: usize, outSize: usize): i32;
    export declare function proxy_replace_header_map_value(map: i32, name: usize, size: i32, value: usize, valueSize: i32): i32;
    export declare function proxy_send_local_response(status: i32, details: usize, detailsSize: i32, body: usize, bodySize: i32, headers: usize, headersSize: i32, grpc: i32): i32;
  `,
  'guest.ts': `
    import * as env from "./env";
    const out = memory.data(8);
    export function proxy_abi_version_0_2_1(): void {}
    export function proxy_on_memory_allocate(size: i32): usize { return heap.alloc(size); }
    export function log(text: string): void {
      const bytes = String.UTF8.encode(text);
      env.proxy_log(2, changetype<usize>(bytes), bytes.byteLength);
    }
    function given(): string {
      const at = load<usize>(out);
      const text = String.UTF8.decodeUnsafe(at, load<i32>(out, 4));
      if (at != 0) heap.free(at);
      return text;
    }
    export function configuration(): string {
      return env.proxy_get_buffer_bytes(7, 0, i32.MAX_VALUE, out, out + 4) == 0 ? given() : "";
    }
    export function header(map: i32, name: string): string | null {
      const bytes = String.UTF8.encode(name);
      const status = env.proxy_get_header_map_value(map, changetype<usize>(bytes), bytes.byteLength, out, out + 4);
      return status == 0 ? given() : null;
    }
    export function setHeader(map: i32, name: string, value: string): i32 {
      const n = String.UTF8.encode(name), v = String.UTF8.encode(value);
      return env.proxy_replace_header_map_value(map, changetype<usize>(n), n.byteLength, changetype<usize>(v), v.byteLength);
    }
    export function reply(status: i32, body: string): void {
      const b = String.UTF8.encode(body);
      env.proxy_send_local_response(status, 0, 0, changetype<usize>(b), b.byteLength, 0, 0, -1);
    }
  `,
};
