import { describe, expect, test } from 'vitest';
import { HOST_FUNCTIONS } from '../../../src/runtime/wasm/abi.ts';
import { CAPABILITIES } from '../../../src/runtime/wasm/capabilities.ts';
import type { PluginUsage } from '../../../src/runtime/wasm/usage.ts';
import { HOST_GROUPS } from '../../../src/runtime/wasm/usage.ts';
import { guest } from '../../support/wasm-guest.ts';
import { BareHost } from '../../support/bare-host.ts';
import { runScript } from '../../support/bare-run.ts';

const countsOf = ({ hostCalls }: PluginUsage): Record<string, number> =>
  Object.fromEntries(HOST_GROUPS.flatMap((name, i) => (hostCalls[i]! > 0 ? [[name, hostCalls[i]!]] : [])));

const groupOf = (name: string): string => {
  const row = CAPABILITIES.find((each) => [...each.functions, ...each.messageFunctions].includes(name));
  if (row !== undefined) return row.name;
  return /log|current_time/.test(name) ? 'log' : 'other';
};

describe('what a plugin uses', () => {
  const counted = HOST_FUNCTIONS.filter(({ module, name }) => module === 'env' && name.startsWith('proxy_'));

  test.each(counted.map(({ name, params }) => [name, params]))(
    '%s counts once, in the group of its capability',
    async (name, params) => {
      const zeros = [...params].map((type) => (type === 'I' ? 0n : 0));
      const run = await runScript((s) => s.call(name, ...zeros));
      expect(countsOf(run.plugin.usage)).toEqual({ [groupOf(name)]: 1 });
    },
  );

  test('calls without their capability count as denied', async () => {
    const run = await runScript((s) => s.call('proxy_set_tick_period_milliseconds', 5), {
      spec: { capabilities: [] },
    });
    expect(countsOf(run.plugin.usage)).toEqual({ denied: 1 });
  });

  test('fuel grows with the work, for streams and for the root', async () => {
    const loop = (turns: number) => [
      // i32.const turns, local.set 0, loop: local.get 0, i32.const 1, i32.sub, local.tee 0, br_if 0, end
      [0x41, ...leb(turns), 0x21, 0, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
    ];
    const run = async (turns: number): Promise<number> => {
      const done = await runScript((s) => s.run(...loop(turns)));
      return done.plugin.usage.fuel;
    };
    const [few, many] = [await run(10), await run(10_000)];
    expect(few).toBeGreaterThan(0);
    expect(many).toBeGreaterThan(few + 10_000);
  });

  test('what callbacks of a root context took is told by callback', async () => {
    const spent: [string, number][] = [];
    const host = new BareHost({ spent: (_, callback, fuel) => void spent.push([callback, fuel]) });
    const plugin = await host.start(
      guest({
        proxy_on_configure: (s) => s.return(1),
        proxy_on_queue_ready: (s) => s.call('proxy_log', 2, 0, 0),
      }),
    );
    plugin.roots[0]!.onQueueReady(1);
    expect(spent.map(([callback]) => callback)).toEqual(['proxy_on_configure', 'proxy_on_queue_ready']);
    expect(spent[1]![1]).toBeGreaterThan(0);
    expect(plugin.usage.fuel).toBeGreaterThanOrEqual(spent[1]![1]);
  });
});

/** Signed. */
function leb(value: number): number[] {
  const rest = value >> 7;
  return rest === 0 && (value & 64) === 0 ? [value & 127] : [(value & 127) | 128, ...leb(rest)];
}
