import { expect, test } from 'vitest';
import { defaultWorkers } from '../../src/cli/worker-count.ts';

function files(texts: Record<string, string>): (file: string) => string {
  return (file) => texts[file] ?? '';
}

test.each([
  ['one a core where nothing bounds the process', {}, 8, 8],
  ['one a core where the control group has no limit', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, 4, 4],
  [
    'as many as the control group has cores, rounded up',
    { '/sys/fs/cgroup/cpu.max': '250000 100000\n' },
    64,
    3,
  ],
  [
    'two at least, so that one is there when the other dies',
    { '/sys/fs/cgroup/cpu.max': '50000 100000\n' },
    64,
    2,
  ],
  ['two on a machine with one core', {}, 1, 2],
  [
    'what version 1 of control groups says',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '400000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    64,
    4,
  ],
  [
    'one a core where version 1 has no limit',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    6,
    6,
  ],
])('starts %s', (_, texts, cores, expected) => {
  expect(defaultWorkers(files(texts as Record<string, string>), cores)).toBe(expected);
});
