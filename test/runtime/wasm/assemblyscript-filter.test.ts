import { expect, test } from 'vitest';
import { Wants } from '../../../src/runtime/wasm/abi.ts';
import { compileAssemblyScript } from '../../support/assemblyscript.ts';
import { GUEST_SDK } from '../../support/guest-sdk.ts';
import { BareHost } from '../../support/bare-host.ts';
import { BareStream } from '../../support/bare-stream.ts';

const FILTER = `
  export { proxy_abi_version_0_2_1, proxy_on_memory_allocate } from "./guest";
  import { configuration, header, log, reply, setHeader } from "./guest";
  let expected = "";
  export function proxy_on_configure(root: i32, size: i32): i32 {
    expected = configuration();
    log("expects " + expected);
    return expected.length > 0 ? 1 : 0;
  }
  export function proxy_on_request_headers(context: i32, count: i32, endOfStream: i32): i32 {
    if (header(0, "authorization") != expected) { reply(401, "no token"); return 1; }
    setHeader(0, "x-checked", "yes");
    return 0;
  }
  export function proxy_on_log(context: i32): void {
    const path = header(0, ":path");
    log("context " + context.toString() + " was for " + (path === null ? "nothing" : path));
  }
`;

const build = (): Promise<Uint8Array> => compileAssemblyScript({ 'index.ts': FILTER, ...GUEST_SDK });

test('a filter from AssemblyScript checks a header, changes the request and logs', async () => {
  const host = new BareHost();
  const plugin = await host.start(await build(), { configuration: 'secret' });
  expect(plugin.wants).toBe(Wants.RequestHeaders | Wants.End);

  const stream = new BareStream();
  const head = stream.request([
    [':path', '/items'],
    ['Authorization', 'secret'],
  ]);
  const context = plugin.createContext(stream)!;
  expect(context.onRequestHeaders(head.count, true)).toBe(0);
  expect(head.get('x-checked')).toBe('yes');
  context.finish();
  expect(host.messages).toEqual(['expects secret', 'context 2 was for /items']);
});

test('its local reply reaches the stream before the callback returns, with the stop value', async () => {
  const plugin = await new BareHost().start(await build(), { configuration: 'secret' });
  const stream = new BareStream();
  const head = stream.request();
  expect(plugin.createContext(stream)!.onRequestHeaders(head.count, true)).toBe(4);
  expect(stream.replies).toMatchObject([{ status: 401, headers: [], grpcStatus: -1 }]);
  expect(Buffer.from(stream.replies[0]!.body).toString()).toBe('no token');
});

test('a configuration that it refuses stops the plugin from starting', async () => {
  await expect(new BareHost().start(await build())).rejects.toThrow(
    'test/chain#filter: proxy_on_configure answered false',
  );
});
