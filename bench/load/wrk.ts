import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Scenario } from './scenarios.ts';

export interface WrkResult {
  readonly requests: number;
  readonly microseconds: number;
  readonly bytes: number;
  readonly p50: number;
  readonly p99: number;
  /** Of any kind, answers with another status than 2xx and 3xx included. */
  readonly errors: number;
}

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

/** One run of wrk, with one thread on the given cores. */
export async function wrk(
  scenario: Scenario,
  port: number,
  seconds: number,
  cores: string,
): Promise<WrkResult> {
  const args = ['-c', cores, 'wrk', '-t1', `-c${scenario.connections}`, `-d${seconds}s`, '-s', SCRIPT];
  args.push(`http://127.0.0.1:${port}${scenario.path}`, '--', scenario.method, String(scenario.bodyBytes));
  args.push(...scenario.fields);
  const output = await new Promise<string>((resolve, reject) => {
    execFile('taskset', args, (fault, stdout, stderr) => {
      if (fault) reject(new Error(`wrk failed: ${stderr}${stdout}`, { cause: fault }));
      else resolve(stdout);
    });
  });
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`);
  const r = JSON.parse(line) as Record<string, number>;
  return {
    requests: r['requests']!,
    microseconds: r['microseconds']!,
    bytes: r['bytes']!,
    p50: r['p50']!,
    p99: r['p99']!,
    errors: r['connect']! + r['read']! + r['write']! + r['status']! + r['timeout']!,
  };
}
