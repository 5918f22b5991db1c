/** Reads the regression tests of a checkout of the OWASP Core Rule Set, in the format of go-ftw. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';

export interface CrsTest {
  /** Of the rule it is for: `942-APPLICATION-ATTACK-SQLI`. */
  readonly family: string;
  readonly rule: number;
  readonly name: string;
  /** From which paranoia level on the rule holds. */
  readonly level: number;
  /** The rule must find it, or must not. */
  readonly attack: boolean;
  /** By a hash of the file's name: `a` may be looked at when rules are written, `b` measures them. */
  readonly half: 'a' | 'b';
  readonly request: Buffer;
}

interface Input {
  readonly method?: string;
  readonly uri?: string;
  readonly version?: string;
  readonly headers?: Record<string, unknown>;
  readonly data?: string;
  readonly encoded_request?: string;
  readonly autocomplete_headers?: boolean;
}

interface Stage {
  readonly input: Input;
  readonly output: {
    readonly log?: { readonly expect_ids?: readonly number[]; readonly no_expect_ids?: readonly number[] };
  };
}

interface File {
  readonly rule_id: number;
  readonly tests: readonly { readonly test_id: number; readonly stages: readonly Stage[] }[];
}

/** @param checkout folder with `rules` and `tests/regression` */
export function readTests(checkout: string): CrsTest[] {
  const levels = blockingLevels(join(checkout, 'rules'));
  const root = join(checkout, 'tests/regression/tests');
  const tests: CrsTest[] = [];
  for (const family of readdirSync(root).filter((name) => name.startsWith('REQUEST-'))) {
    for (const file of readdirSync(join(root, family)).filter((name) => name.endsWith('.yaml'))) {
      // One file of the suite has no tests at all.
      const content = parse(readFileSync(join(root, family, file), 'utf8')) as File | null;
      if (content === null) continue;
      const { rule_id: rule, tests: all } = content;
      const level = levels.get(rule);
      if (level === undefined) continue;
      const half = createHash('sha256').update(basename(file)).digest()[0]! % 2 === 0 ? 'a' : 'b';
      for (const { test_id: id, stages } of all) {
        // Those of several requests test what a server answers.
        const [stage] = stages;
        const ids = stage?.output.log;
        const attack = ids?.expect_ids?.includes(rule) ?? false;
        if (stages.length !== 1 || (!attack && !ids?.no_expect_ids?.includes(rule))) continue;
        const name = `${rule}-${id}`;
        const request = bytesOf(stage!.input);
        tests.push({ family: family.slice('REQUEST-'.length), rule, name, level, attack, half, request });
      }
    }
  }
  return tests;
}

/** Rules that refuse a request on their own (critical ones, at the set's usual threshold), and their paranoia level. */
function blockingLevels(folder: string): Map<number, number> {
  const levels = new Map<number, number>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.conf'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const part of text.split(/^Sec(?:Rule|Action)/m)) {
      const id = /id:(\d+)/.exec(part)?.[1];
      const level = /paranoia-level\/(\d)/.exec(part)?.[1];
      if (id !== undefined && level !== undefined && /severity:'?CRITICAL/.test(part))
        levels.set(Number(id), Number(level));
    }
  }
  return levels;
}

/** What go-ftw would send. */
function bytesOf(input: Input): Buffer {
  if (input.encoded_request !== undefined) return Buffer.from(input.encoded_request, 'base64');
  const completes = input.autocomplete_headers !== false;
  const fields = Object.entries(input.headers ?? {}).map(([name, value]) => [name, String(value)]);
  const has = (name: string): boolean => fields.some(([known]) => known!.toLowerCase() === name);
  const typeOf = (): string => fields.find(([name]) => name!.toLowerCase() === 'content-type')?.[1] ?? '';
  let data = input.data ?? '';
  if (data !== '' && completes) {
    if (!has('content-type')) fields.push(['Content-Type', 'application/x-www-form-urlencoded']);
    if (typeOf() === 'application/x-www-form-urlencoded') data = encoded(data);
  }
  if (typeOf().includes('multipart/form-data;')) data = data.replaceAll('\n', '\r\n');
  const method = input.method ?? 'GET';
  if (completes) {
    if (!has('connection')) fields.push(['Connection', 'close']);
    if (!has('content-length') && (data !== '' || ['POST', 'PUT', 'PATCH'].includes(method)))
      fields.push(['Content-Length', String(Buffer.byteLength(data))]);
  }
  const first = `${method} ${input.uri ?? '/'} ${input.version ?? 'HTTP/1.1'}\r\n`;
  return Buffer.from(`${first}${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${data}`);
}

/** A form that nobody has escaped yet; another as it is. */
function encoded(data: string): string {
  if (/%[0-9a-f]{2}|\+/i.test(data)) return data;
  const escaped = (text: string): string => encodeURIComponent(text).replaceAll('%20', '+');
  return data
    .split('&')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? escaped(part) : `${escaped(part.slice(0, at))}=${escaped(part.slice(at + 1))}`;
    })
    .join('&');
}
