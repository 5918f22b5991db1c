import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/control/diagnostic.ts';
import type { Loaded } from '../../src/control/load.ts';
import { Rollout } from '../../src/control/rollout.ts';
import { StateStore } from '../../src/control/state.ts';
import type { Snapshot } from '../../src/runtime/snapshot.ts';
import type { StageFault } from '../../src/runtime/stage-fault.ts';

/** What the configuration says at the moment: a version, or what is wrong with it. */
let configuration: string | Diagnostic | Error;
/** Instead of `configuration`. */
let loaded: Loaded | null;
let log: string[];
let printed: string;
let tryOut: (version: string) => Promise<StageFault[]>;
let deploy: (version: string) => StageFault[];
let policyTests: ((version: string) => Promise<StageFault[]>) | null;
let dir: string;

const warning: Diagnostic = {
  code: 'WEIR3002',
  severity: 'warning',
  file: 'a.yaml',
  line: 1,
  column: 1,
  length: 1,
  message: 'unused',
};
const error: Diagnostic = { ...warning, code: 'WEIR1042', severity: 'error', message: 'unknown field' };

function snapshotOf(version: string): Snapshot {
  const ports = version === 'closed' ? [] : [{ protocol: 'http', address: '0.0.0.0', port: 80 }];
  return { version, modules: [], ports } as unknown as Snapshot;
}

const placeOf = (): null => null;

function load(): Promise<Loaded> {
  const files = ['a.yaml'];
  const code = new Map<string, Uint8Array>();
  if (loaded !== null) return Promise.resolve(loaded);
  if (configuration instanceof Error) return Promise.reject(configuration);
  if (typeof configuration !== 'string') {
    return Promise.resolve({ snapshot: null, code, diagnostics: [configuration], files, placeOf });
  }
  return Promise.resolve({ snapshot: snapshotOf(configuration), code, diagnostics: [], files, placeOf });
}

function make(state: StateStore | null = null): Rollout {
  return new Rollout({
    load: () => {
      log.push('load');
      return load();
    },
    follow: () => Promise.resolve(),
    test: policyTests,
    tryOut: (snapshot) => {
      log.push(`try ${snapshot.version}`);
      return tryOut(snapshot.version);
    },
    workers: {
      deploy: ({ snapshot }) => {
        log.push(`deploy ${snapshot.version}`);
        return Promise.resolve(deploy(snapshot.version));
      },
      revert: ({ snapshot }) => log.push(`revert ${snapshot.version}`),
    },
    state,
    log: pino({ level: 'silent' }),
    print: (text) => (printed += text),
    color: false,
    name: 'policies',
  });
}

beforeEach(async () => {
  configuration = 'a';
  loaded = null;
  log = [];
  printed = '';
  tryOut = () => Promise.resolve([]);
  deploy = () => [];
  policyTests = null;
  dir = await mkdtemp(join(tmpdir(), 'weir-rollout-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('Rollout', () => {
  test('loads, tries out, deploys, in this order, and numbers what is in force', async () => {
    const rollout = make();
    await rollout.request();
    configuration = 'b';
    await rollout.request();
    expect(log).toEqual(['load', 'try a', 'deploy a', 'load', 'try b', 'deploy b']);
    expect(rollout.current).toMatchObject({ number: 2, snapshot: { version: 'b' } });
    expect(rollout.counts).toMatchObject({ applied: 2, rejected: 0 });
  });

  test('keeps what serves where no listener is left, but for somebody who insists', async () => {
    const rollout = make();
    await rollout.request();
    configuration = 'closed';
    await rollout.request();
    expect(rollout.current).toMatchObject({ snapshot: { version: 'a' } });
    expect(printed).toContain('WEIR4009');
    expect(printed).toContain('Nothing was applied; snapshot a');
    await rollout.insist();
    expect(rollout.current).toMatchObject({ snapshot: { version: 'closed' } });
  });

  test('prints a refusal once, where one save comes as several events', async () => {
    const rollout = make();
    configuration = error;
    await rollout.request();
    await rollout.request();
    expect(rollout.counts.rejected).toBe(2);
    expect(printed.match(/unknown field/g)).toHaveLength(1);
    configuration = { ...error, message: 'another' };
    await rollout.request();
    configuration = error;
    await rollout.request();
    expect(printed.match(/unknown field/g)).toHaveLength(2);
  });

  test('starts with a configuration that has no listener', async () => {
    const rollout = make();
    configuration = 'closed';
    await rollout.request();
    expect(rollout.current).toMatchObject({ snapshot: { version: 'closed' } });
  });

  test('deploys nothing whose PolicyTests fail, where they are required, and tells what was expected', async () => {
    policyTests = (version) => {
      log.push(`test ${version}`);
      const fault: StageFault = {
        kind: 'test',
        source: 't.yaml:7:5',
        message: 'x failed',
        notes: ['status'],
      };
      return Promise.resolve(version === 'b' ? [fault] : []);
    };
    const rollout = make();
    await rollout.request();
    configuration = 'b';
    await rollout.request();
    expect(log).toEqual(['load', 'try a', 'test a', 'deploy a', 'load', 'try b', 'test b']);
    expect(rollout.current?.snapshot.version).toBe('a');
    expect(printed).toMatch(/^t\.yaml:7:5 {2}error WEIR4008 {2}x failed\n {3}status\n/);
  });

  test('says what it is at, and says so no more when it is done or has failed', async () => {
    const rollout = make();
    let open!: () => void;
    tryOut = () => new Promise((resolve) => (open = () => resolve([])));
    const done = rollout.request();
    await expect.poll(() => rollout.underWay?.step).toBe('try-out');
    open();
    await done;
    expect(rollout.underWay).toBeNull();
    configuration = new Error('no such folder');
    await rollout.request();
    expect(rollout.underWay).toBeNull();
  });

  test('does nothing for a configuration that is in force', async () => {
    const rollout = make();
    await rollout.request();
    await rollout.request();
    expect(log).toEqual(['load', 'try a', 'deploy a', 'load']);
  });

  test('keeps what is in force where the text is wrong, and forgets the refusal when it is mended', async () => {
    const rollout = make();
    await rollout.request();
    configuration = error;
    await rollout.request();
    expect(rollout.current?.snapshot.version).toBe('a');
    expect(rollout.refusal?.diagnostics).toEqual([error]);
    expect(printed).toMatch(/^a\.yaml:1:1 {2}error WEIR1042 {2}unknown field\n/);
    expect(printed).toMatch(/Nothing was applied; snapshot a \(\d+ s old\) keeps serving\.\n$/);
    configuration = 'a';
    await rollout.request();
    expect(rollout.refusal).toBeNull();
    expect(rollout.counts).toMatchObject({ applied: 1, rejected: 1 });
  });

  test('deploys nothing that the canary refuses', async () => {
    const rollout = make();
    await rollout.request();
    configuration = 'b';
    tryOut = () => Promise.resolve([{ kind: 'plugin', source: 'b.yaml:3:5', message: 'no', notes: ['why'] }]);
    await rollout.request();
    expect(log.at(-1)).toBe('try b');
    expect(rollout.refusal?.diagnostics[0]).toMatchObject({
      code: 'WEIR4002',
      file: 'b.yaml',
      line: 3,
      column: 5,
    });
    expect(printed).toContain('the filter said: why');
  });

  test('is as it was where a worker refuses', async () => {
    const rollout = make();
    await rollout.request();
    configuration = 'b';
    deploy = () => [{ kind: 'listen', source: null, message: 'cannot listen on 0.0.0.0:80: EACCES' }];
    await rollout.request();
    expect(rollout.current?.snapshot.version).toBe('a');
    expect(rollout.refusal).toMatchObject({ isListenFault: true, version: 'b' });
    expect(rollout.refusal?.diagnostics[0]).toMatchObject({ code: 'WEIR4003', file: 'policies' });
  });

  test('takes a load that breaks down as a refusal', async () => {
    const rollout = make();
    await rollout.request();
    configuration = new Error('dist/filters is damaged');
    await rollout.request();
    expect(rollout.refusal?.diagnostics[0]).toMatchObject({
      code: 'WEIR4005',
      message: 'dist/filters is damaged',
    });
    configuration = 'b';
    await rollout.request();
    expect(rollout.current?.snapshot.version).toBe('b');
  });

  test('runs one at a time; requests meanwhile are one more, of the newest', async () => {
    const rollout = make();
    let release = (): void => undefined;
    tryOut = () => new Promise((resolve) => (release = () => resolve([])));
    const first = rollout.request();
    await expect.poll(() => log.at(-1)).toBe('try a');
    configuration = 'b';
    void rollout.request();
    configuration = 'c';
    void rollout.request();
    void rollout.request();
    tryOut = () => Promise.resolve([]);
    release();
    await first;
    expect(log).toEqual(['load', 'try a', 'deploy a', 'load', 'try c', 'deploy c']);
  });

  test('goes back to the one before where workers crash, and does not try the bad one by itself', async () => {
    const rollout = make();
    await rollout.request();
    configuration = 'b';
    await rollout.request();
    rollout.rollBack();
    expect(log.at(-1)).toBe('revert a');
    expect(rollout.current).toMatchObject({ number: 3, snapshot: { version: 'a' } });
    expect(rollout.refusal).toMatchObject({ version: 'b', diagnostics: [{ code: 'WEIR4006' }] });
    log = [];
    await rollout.request();
    expect(log).toEqual(['load']);
    expect(rollout.refusal?.version).toBe('b');
    // Somebody insists, with SIGHUP.
    await rollout.insist();
    expect(rollout.current).toMatchObject({ number: 4, snapshot: { version: 'b' } });
  });

  test('has nowhere to go back to from the first one', async () => {
    const rollout = make();
    await rollout.request();
    rollout.rollBack();
    expect(log).toEqual(['load', 'try a', 'deploy a']);
    expect(rollout.current?.snapshot.version).toBe('a');
  });

  test('goes back to what the process before it served', async () => {
    const rollout = make();
    rollout.remember({ number: 7, snapshot: snapshotOf('old'), code: new Map(), failures: [] });
    await rollout.request();
    expect(rollout.current?.number).toBe(8);
    rollout.rollBack();
    expect(rollout.current).toMatchObject({ number: 9, snapshot: { version: 'old' } });
  });

  test('goes back to the digest before of a module that trips, and keeps the failed one out', async () => {
    const rollout = make();
    const modules = (digest: string): Loaded => ({
      snapshot: {
        version: `with ${digest}`,
        modules: [{ name: 'shop/risk', digest, source: 'risk.yaml:3:1', memoryBytes: 1 }],
        ports: [],
      } as unknown as Snapshot,
      code: new Map([[digest, Buffer.from(digest)]]),
      diagnostics: [],
      files: [],
      placeOf,
    });
    loaded = modules('d1');
    await rollout.request();
    loaded = modules('d2');
    await rollout.request();
    await rollout.tripped({ plugin: 'shop/chain#risk', digest: 'd2', reason: 'unreachable' });
    expect(rollout.current).toMatchObject({ number: 3, snapshot: { modules: [{ digest: 'd1' }] } });
    expect(rollout.current!.code.get('d1')).toEqual(Buffer.from('d1'));
    expect(rollout.counts).toMatchObject({ moduleRollbacks: 1, rollbacks: 0 });
    expect(printed).toMatch(
      /^risk\.yaml:3:1 {2}error WEIR4007 {2}Module shop\/risk: filter shop\/chain#risk of sha256 d2 failed again/,
    );
    // The other workers tell the same a moment later.
    await rollout.tripped({ plugin: 'shop/chain#risk', digest: 'd2', reason: 'unreachable' });
    await rollout.request();
    expect(rollout.current!.number).toBe(3);
    expect(rollout.failures).toMatchObject([{ digest: 'd2', servedBy: 'd1' }]);
    loaded = modules('d3');
    await rollout.request();
    expect(rollout.current).toMatchObject({ number: 4, snapshot: { modules: [{ digest: 'd3' }] } });
    expect(rollout.failures).toEqual([]);
  });

  test('stays where the digest before is refused', async () => {
    const rollout = make();
    rollout.remember({
      number: 1,
      snapshot: { modules: [{ name: 'm', digest: 'd1' }] } as unknown as Snapshot,
      code: new Map([['d1', Buffer.from('d1')]]),
      failures: [],
    });
    loaded = {
      snapshot: {
        version: 'with d2',
        ports: [],
        modules: [{ name: 'm', digest: 'd2' }],
      } as unknown as Snapshot,
      code: new Map([['d2', Buffer.from('d2')]]),
      diagnostics: [],
      files: [],
      placeOf,
    };
    await rollout.request();
    tryOut = () => Promise.resolve([{ kind: 'plugin', source: null, message: 'refused' }]);
    await rollout.tripped({ plugin: 'p', digest: 'd2', reason: 'unreachable' });
    expect(rollout.current?.snapshot.version).toBe('with d2');
    expect(rollout.failures).toMatchObject([{ digest: 'd2', servedBy: null }]);
  });

  test('saves what is in force, and goes on where that fails', async () => {
    const state = await StateStore.open(dir, () => undefined);
    const rollout = make(state);
    await rollout.request();
    await rollout.settled();
    expect((await state.newest())?.snapshot.version).toBe('a');
    await rm(dir, { recursive: true });
    configuration = 'b';
    await rollout.request();
    await rollout.settled();
    expect(rollout.current?.snapshot.version).toBe('b');
    expect([rollout.stateFailing, rollout.counts.stateFailures]).toEqual([true, 1]);
  });
});
