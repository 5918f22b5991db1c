import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/process.ts';

/** Those of the repository; templates of projects are pages of other folders. */
const PAGES = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' })
  .trim()
  .split('\n')
  .filter((page) => !page.startsWith('filters-sdk/templates/') && existsSync(join(ROOT, page)));

/** Text outside of code, where brackets are no links. */
function prose(page: string): string {
  return readFileSync(page, 'utf8')
    .replaceAll(/^(```+|~~~+)[^]*?^\1/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ' '));
}

/** As GitHub names headings. */
function anchors(page: string): Set<string> {
  const text = readFileSync(page, 'utf8').replaceAll(/^(```+|~~~+)[^]*?^\1/gm, '');
  const seen = new Map<string, number>();
  const names = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const name = heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    names.add(before === 0 ? name : `${name}-${before}`);
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) names.add(id!);
  return names;
}

test('there are pages to look at', () => {
  expect(PAGES.length).toBeGreaterThan(60);
});

test.each(PAGES)('links of %s lead somewhere', (page) => {
  const lost: string[] = [];
  for (const [, target] of prose(join(ROOT, page)).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)) {
    if (/^[a-z]+:/.test(target!)) continue;
    const [path, anchor] = target!.split('#') as [string, string?];
    const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), decodeURIComponent(path));
    if (!existsSync(file) || relative(ROOT, file).startsWith('..')) lost.push(target!);
    else if (anchor !== undefined && statSync(file).isFile() && !anchors(file).has(anchor))
      lost.push(target!);
  }
  expect(lost).toEqual([]);
});
