import { beforeEach, describe, expect, test } from 'vitest';
import { ModuleRollback, type Content } from '../../src/control/module-rollback.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';

/** Modules by name, each with a digest that stands for its bytes. */
function content(modules: Record<string, string>): Content {
  const specs = Object.entries(modules).map(([name, digest]) => ({
    name,
    digest,
    source: '',
    memoryBytes: 1,
  }));
  const snapshot = { version: JSON.stringify(modules), modules: specs, rules: [] } as unknown as Snapshot;
  return { snapshot, code: new Map(specs.map(({ digest }) => [digest, Buffer.from(`code of ${digest}`)])) };
}

function trip(digest: string): { plugin: string; digest: string; reason: string } {
  return { plugin: 'shop/chain#risk', digest, reason: 'unreachable' };
}

function modulesOf({ snapshot }: Content): Record<string, string> {
  return Object.fromEntries(snapshot.modules.map(({ name, digest }) => [name, digest]));
}

let rollback: ModuleRollback;

/** Brings contents in force, one after the other, as they are configured. */
function serve(...contents: Content[]): void {
  for (const [i, each] of contents.entries()) {
    rollback.settle(each.snapshot);
    rollback.replace(contents[i - 1] ?? null, each);
  }
}

beforeEach(() => {
  rollback = new ModuleRollback();
});

const V1 = content({ 'shop/risk': 'v1', 'shop/other': 'o' });
const V2 = content({ 'shop/risk': 'v2', 'shop/other': 'o' });
const V3 = content({ 'shop/risk': 'v3', 'shop/other': 'o' });

describe('ModuleRollback', () => {
  test('puts the digest before in the place of one that trips, with its bytes, under another version', () => {
    serve(V1, V2);
    const back = rollback.trip(trip('v2'), V2, 5)!;
    expect(modulesOf(back)).toEqual({ 'shop/risk': 'v1', 'shop/other': 'o' });
    expect(Buffer.from(back.code.get('v1')!).toString()).toBe('code of v1');
    expect([...back.code.keys()].sort()).toEqual(['o', 'v1']);
    expect(back.snapshot.version).not.toBe(V2.snapshot.version);
    expect(rollback.failures).toEqual([
      {
        module: 'shop/risk',
        digest: 'v2',
        servedBy: 'v1',
        plugin: 'shop/chain#risk',
        reason: 'unreachable',
        at: 5,
      },
    ]);
  });

  test('has nowhere to go from the first digest, and says so', () => {
    serve(V1);
    expect(rollback.trip(trip('v1'), V1, 0)).toBeNull();
    expect(rollback.failures).toMatchObject([{ digest: 'v1', servedBy: null }]);
  });

  test('stays where the Module says that it keeps its digest', () => {
    const modules = V2.snapshot.modules.map((module) => ({ ...module, keepsDigest: true }));
    const kept = { ...V2, snapshot: { ...V2.snapshot, modules } };
    serve(V1, kept);
    expect(rollback.trip(trip('v2'), kept, 0)).toBeNull();
    expect(rollback.failures).toMatchObject([{ digest: 'v2', servedBy: null }]);
  });

  test('has nothing to do for a digest that is not in force', () => {
    serve(V1, V2);
    expect(rollback.trip(trip('v1'), V2, 0)).toBeNull();
    expect(rollback.failures).toEqual([]);
  });

  test('keeps the failed digest out of every configuration that still has it', () => {
    serve(V1, V2);
    rollback.replace(V2, rollback.trip(trip('v2'), V2, 0)!);
    const more = content({ 'shop/risk': 'v2', 'shop/new': 'n' });
    expect(modulesOf(rollback.apply(more))).toEqual({ 'shop/risk': 'v1', 'shop/new': 'n' });
    rollback.settle(more.snapshot);
    expect(rollback.failures).toHaveLength(1);
  });

  test('forgets the failure with another digest, and never goes back to the one that failed', () => {
    serve(V1, V2);
    const back = rollback.trip(trip('v2'), V2, 0)!;
    rollback.replace(V2, back);
    expect(rollback.apply(V3)).toEqual(V3);
    rollback.settle(V3.snapshot);
    rollback.replace(back, V3);
    expect(rollback.failures).toEqual([]);
    expect(modulesOf(rollback.trip(trip('v3'), V3, 0)!)['shop/risk']).toBe('v1');
  });

  test('a first digest that failed is nothing to go back to either', () => {
    serve(V1);
    rollback.trip(trip('v1'), V1, 0);
    rollback.replace(V1, V2);
    rollback.settle(V2.snapshot);
    expect(rollback.trip(trip('v2'), V2, 0)).toBeNull();
  });

  test('stays where the digest before fails too', () => {
    serve(V1, V2);
    const back = rollback.trip(trip('v2'), V2, 0)!;
    rollback.replace(V2, back);
    expect(rollback.trip(trip('v1'), back, 0)).toBeNull();
    expect(rollback.failures).toMatchObject([{ digest: 'v2', servedBy: 'v1' }]);
  });

  test('does not put in force again what could not be', () => {
    serve(V1, V2);
    rollback.trip(trip('v2'), V2, 0);
    rollback.stuck('v2');
    expect(rollback.apply(V2)).toEqual(V2);
  });

  test('tries again what failed where somebody insists', () => {
    serve(V1, V2);
    rollback.replace(V2, rollback.trip(trip('v2'), V2, 0)!);
    rollback.forgive();
    expect(rollback.apply(V2)).toEqual(V2);
  });

  test('goes on where a process before it left off', () => {
    serve(V1, V2);
    const back = rollback.trip(trip('v2'), V2, 0)!;
    const again = new ModuleRollback();
    again.restore(rollback.failures, back);
    expect(modulesOf(again.apply(V2))).toEqual(modulesOf(back));
  });
});
