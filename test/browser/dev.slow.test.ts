// What an author sees of `weir dev` in a browser.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { DevProject, filterSource } from '../support/dev.ts';
import { startBrowser } from './browser.ts';

let browser: Browser;
let project: DevProject;
let page: Page;
/** What a page said of faults of its own. */
let complaints: string[];

beforeAll(async () => {
  browser = await startBrowser();
  project = await DevProject.start(filterSource('one'));
  await project.page();
  await project.until('did not serve', async () => (await project.get('/')).header('x-word') === 'one');
}, 240_000);
afterAll(async () => {
  await browser.close();
  await project.program.stop();
});

beforeEach(async () => {
  complaints = [];
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (line) => {
    // Browsers ask for an icon by themselves.
    if (line.type() === 'error' && !line.location().url.endsWith('/favicon.ico'))
      complaints.push(line.text());
  });
});
afterEach(async () => {
  await page.close();
  expect(complaints).toEqual([]);
});

const proxied = (path: string): string => `http://127.0.0.1:${project.port}${path}`;

test('a fault lies over the page that is open, with its line and a caret, and goes when it is mended', async () => {
  await page.goto(proxied('/page'));
  expect(await page.title()).toBe('page');
  const overlay = page.locator('weir-overlay');
  expect(await overlay.count()).toBe(0);

  await project.edit('src/index.ts', 'const seen = count;', 'const seen = coumt;');
  await overlay.waitFor({ state: 'visible' });
  // Over the whole of it.
  expect(await overlay.boundingBox()).toMatchObject({ x: 0, y: 0, ...page.viewportSize() });
  expect(await overlay.locator('i').first().innerText()).toBe('src/index.ts:13:18');
  expect(await overlay.locator('main').innerText()).toContain("Cannot find name 'coumt'");
  const [source, caret] = (await overlay.locator('pre').first().innerText()).split('\n');
  expect(source).toBe('    const seen = coumt;');
  expect(source!.slice(caret!.indexOf('^'), caret!.lastIndexOf('^') + 1)).toBe('coumt');

  await project.edit('src/index.ts', 'const seen = coumt;', 'const seen = count;');
  await overlay.waitFor({ state: 'detached' });
  expect(await page.title()).toBe('page');
});

test('a fault in a policy is shown too, and Escape hides it', async () => {
  await page.goto(proxied('/page'));
  await project.edit('policies/all.yaml', 'kind: FilterChain', 'kind: FilterChian');
  const overlay = page.locator('weir-overlay');
  await overlay.waitFor({ state: 'visible' });
  expect(await overlay.locator('main').innerText()).toMatch(/all\.yaml:\d+:\d+ WEIR\d+.*FilterChian/s);
  await page.keyboard.press('Escape');
  await overlay.waitFor({ state: 'detached' });
  // Whoever opens a page now sees it again.
  await page.reload();
  await overlay.waitFor({ state: 'visible' });
  await project.edit('policies/all.yaml', 'kind: FilterChian', 'kind: FilterChain');
  await overlay.waitFor({ state: 'detached' });
});

test('what a fault says is text, whatever is in it', async () => {
  await page.goto(proxied('/page'));
  await project.edit(
    'src/index.ts',
    'const seen = count;',
    "const seen = '<img src=x onerror=alert(1)>' + count;",
  );
  const overlay = page.locator('weir-overlay');
  await overlay.waitFor({ state: 'visible' });
  expect(await overlay.locator('pre').first().innerText()).toContain('<img src=x onerror=alert(1)>');
  expect(await overlay.locator('img').count()).toBe(0);
  await project.edit(
    'src/index.ts',
    "const seen = '<img src=x onerror=alert(1)>' + count;",
    'const seen = count;',
  );
  await overlay.waitFor({ state: 'detached' });
});

test('the page follows: what serves, faults, and each request down to its callbacks', async () => {
  await page.goto(await project.page());
  await page.locator('#status[data-proxy=live]').waitFor();
  expect(await page.locator('#filters li').allInnerTexts()).toEqual([
    expect.stringMatching(/^word \d+ bytes, compiled in \d+ ms$/),
  ]);
  expect(await page.locator('#addresses a').first().getAttribute('href')).toMatch(
    new RegExp(`^http://127\\.0\\.0\\.1:${project.port}`),
  );

  await project.get('/looked-for');
  const request = page.locator('#requests li', { hasText: '/looked-for' });
  await request.waitFor();
  expect(await request.locator('summary').innerText()).toMatch(/^GET \/looked-for 200 +word ±2/);
  expect(await request.locator('.step').first().isVisible()).toBe(false);
  await request.locator('summary').click();
  await request.locator('.step').first().waitFor({ state: 'visible' });
  expect(await request.innerText()).toMatch(/onResponseHeaders[^]*\n\+ x-word: one/);

  await project.edit('src/index.ts', 'const seen = count;', 'const seen = coumt;');
  await page.locator('#faults .fault').first().waitFor();
  expect(await page.title()).toMatch(/^\([1-9]\) weir dev$/);
  expect(await page.locator('#faults pre').first().innerText()).toContain('^^^^^');
  expect(await page.locator('#filters').innerText()).toBe('word does not compile, the one before serves');
  await project.edit('src/index.ts', 'const seen = coumt;', 'const seen = count;');
  await page.locator('#faults').waitFor({ state: 'hidden' });
  expect(await page.title()).toBe('weir dev');
});
