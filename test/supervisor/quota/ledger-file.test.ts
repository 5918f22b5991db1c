import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DamagedLedger, LedgerFile } from '../../../src/supervisor/quota/ledger-file.ts';

let dir: string;
const path = (): string => join(dir, 'ledger-0000000001.log');

beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'weir-quota-')), 'quota');
});

async function written(...batches: unknown[][]): Promise<void> {
  const { file } = await LedgerFile.open(dir);
  for (const batch of batches) await file.append(batch);
  await file.close();
}

async function read(): Promise<{ records: readonly unknown[]; cutBytes: number }> {
  const { file, records, cutBytes } = await LedgerFile.open(dir);
  await file.close();
  return { records, cutBytes };
}

describe('a file', () => {
  test('gives back what was written, in order, over several runs', async () => {
    await written([1, { a: 'ä\n' }], [3]);
    await written([4]);
    expect(await read()).toEqual({ records: [1, { a: 'ä\n' }, 3, 4], cutBytes: 0 });
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test('that ends in half a write loses that write, at whatever byte it was cut, and goes on', async () => {
    await written([1], [2]);
    const whole = readFileSync(path());
    const first = whole.indexOf('\n') + 1;
    for (let length = first; length < whole.length; length++) {
      writeFileSync(path(), whole.subarray(0, length));
      expect(await read()).toEqual({ records: [1], cutBytes: length - first });
      await written([3]);
      expect((await read()).records).toEqual([1, 3]);
    }
  });

  test('whose last write was not all put on disk loses it too', async () => {
    await written([1], ['a long text that lies in two blocks']);
    const bytes = readFileSync(path());
    bytes.fill(0, bytes.length - 12, bytes.length - 1);
    writeFileSync(path(), bytes);
    expect((await read()).records).toEqual([1]);
  });

  test('with one byte changed before its last line is refused, whichever byte it is', async () => {
    await written([1], [2, 'two'], [3]);
    const whole = readFileSync(path());
    const end = whole.lastIndexOf('\n', whole.length - 2);
    for (let at = 0; at <= end; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1;
      writeFileSync(path(), bytes);
      await expect(LedgerFile.open(dir), `byte ${at}`).rejects.toThrow(DamagedLedger);
      expect(readFileSync(path())).toEqual(bytes);
    }
  });

  test('without one of its lines, or with one twice, is refused', async () => {
    await written([1], [2], [3]);
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n');
    for (const [a, b] of [
      [0, 2],
      [1, 2],
      [0, 0],
    ] as const) {
      writeFileSync(path(), `${lines[a]!}\n${lines[b]!}\n`);
      await expect(LedgerFile.open(dir)).rejects.toThrow(/damaged at byte/);
    }
  });

  test('that another process writes to is written no more', async () => {
    const { file } = await LedgerFile.open(dir);
    await file.append([1]);
    appendFileSync(path(), 'another\n');
    await expect(file.append([2])).rejects.toThrow(/one weir alone/);
    await file.close();
  });
});

describe('the successor of a file', () => {
  test('takes its place, and nothing of the one before is left', async () => {
    const { file } = await LedgerFile.open(dir);
    await file.append([1, 2, 3]);
    const next = await file.successor();
    await next.write(['all']);
    await file.append([4]);
    await next.write(['since']);
    await next.takeOver();
    await file.append([5]);
    await file.close();
    expect(readdirSync(dir)).toEqual(['ledger-0000000002.log']);
    expect((await read()).records).toEqual(['all', 'since', 5]);
  });

  test('that was never finished is nothing', async () => {
    const { file } = await LedgerFile.open(dir);
    await file.append([1]);
    const next = await file.successor();
    await next.write(['half']);
    await file.close();
    expect((await read()).records).toEqual([1]);
    expect(readdirSync(dir)).toEqual(['ledger-0000000001.log']);
  });

  test('is taken where the one before was not removed yet', async () => {
    await written([1]);
    const before = readFileSync(path());
    const { file } = await LedgerFile.open(dir);
    const next = await file.successor();
    await next.write([2]);
    await next.takeOver();
    await file.close();
    writeFileSync(path(), before);
    expect((await read()).records).toEqual([2]);
    expect(readdirSync(dir)).toEqual(['ledger-0000000002.log']);
  });
});
