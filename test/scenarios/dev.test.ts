import { rm } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { BoardState } from '../../src/cli/dev/board.ts';
import { DevProject, filterSource } from '../support/dev.ts';

const BROWSER = 'Accept: text/html,application/xhtml+xml';

describe('weir dev', () => {
  let project: DevProject;
  let page: string;

  const state = async (): Promise<BoardState> => (await fetch(`${page}/state`)).json() as Promise<BoardState>;
  const word = async (): Promise<string | undefined> => (await project.get('/')).header('x-word');

  beforeAll(async () => {
    // It begins with a filter that does not compile, and no module of it from before.
    project = await DevProject.start(filterSource('one').replace('Action.Continue', 'Action.Kontinue'));
    await project.program.waitFor('the proxy starts when every filter compiles', 60_000);
  }, 70_000);

  test('shows the line of a fault with a caret, and waits for a module before it serves', async () => {
    expect(project.program.output).toMatch(
      /src\/index\.ts:16:19: error TS2339: .*Kontinue.*\n +16 │ +return Action\.Kontinue;\n +│ +\^{8}/,
    );
    await expect(project.get('/')).rejects.toThrow('ECONNREFUSED');
  });

  test('starts the proxy once the filter compiles', async () => {
    await project.edit('src/index.ts', 'Action.Kontinue', 'Action.Continue');
    page = await project.page();
    expect(await word()).toBe('one');
    expect(await state()).toMatchObject({
      proxy: 'live',
      addresses: [`http://127.0.0.1:${project.port}`],
      faults: [],
    });
  }, 70_000);

  test('serves what is saved, in the entry file and in files that it imports', async () => {
    await project.edit('src/index.ts', "word('one')", "word('two')");
    await project.until('did not serve the entry file', async () => (await word()) === 'two');
    await project.edit('src/word.ts', 'return text', "return text + '!'");
    await project.until('did not serve the imported file', async () => (await word()) === 'two!');
  });

  test('tells what filters did with a request, in the terminal and on the page', async () => {
    // Recording begins a moment after the proxy serves.
    await project.until('did not record a request', async () => {
      await project.get('/recorded');
      return /GET \/recorded 200 {2}word ±2 \d/.test(project.program.output);
    });
    const events = await fetch(`${page}/events`);
    const reader = events.body!.getReader();
    let text = '';
    while (!/event: request\ndata: .*\n\n/.test(text))
      text += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    expect(text).toContain('"notes":["+ x-word: two!","+ x-seen: ');
    // The access log says it again, for machines.
    expect(project.program.output).not.toContain('"request_id"');
  });

  test('takes a changed policy', async () => {
    await project.edit(
      'policies/all.yaml',
      '{name: word, use: module/word}',
      '{name: other, use: module/word}',
    );
    await project.program.waitFor(/live.*snapshot 4/, 25_000);
  });

  test('keeps serving while a filter does not compile, and tells page and browser', async () => {
    await project.edit('src/word.ts', 'return text', 'return <b>text');
    await project.program.waitFor('what was compiled before goes on serving', 25_000);
    expect(await word()).toBe('two!');
    const [fault] = (await state()).faults.flatMap(({ list }) => list);
    expect(fault).toMatchObject({ file: 'src/word.ts', line: 2, sourceLine: "  return <b>text + '!';" });

    const html = (await project.get('/page', BROWSER)).text;
    const src = /<script src="([^"]+)" async><\/script>$/.exec(html)?.[1];
    expect(html.startsWith('<!doctype html><title>page</title>')).toBe(true);
    expect(src).toMatch(new RegExp(`^${page}/overlay\\.js\\?key=`));
    const script = await (await fetch(src!)).text();
    expect(script).toContain('weir-overlay');
    // What the script listens to, from the origin of the proxied page.
    const events = await fetch(src!.replace('/overlay.js', '/events'), {
      headers: { origin: `http://127.0.0.1:${project.port}` },
    });
    const reader = events.body!.getReader();
    const first = Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    expect(first).toMatch(/^event: state\ndata: .*"file":"src\/word\.ts"/);
  });

  test('touches nothing but pages that a browser opens', async () => {
    expect((await project.get('/', BROWSER)).text).toBe('text');
    expect((await project.get('/page')).text).toBe('<!doctype html><title>page</title>');
    expect((await project.get('/page', 'Accept: application/json')).text).not.toContain('<script');
  });

  test('shows its page to this machine alone', async () => {
    const status = (headers: Record<string, string>): Promise<number> =>
      new Promise((done, failed) => {
        httpGet(`${page}/events`, { headers }, (response) => {
          response.destroy();
          done(response.statusCode ?? 0);
        }).on('error', failed);
      });
    expect(await status({})).toBe(200);
    // A name that somebody else's DNS lets point here, and another site in the same browser.
    expect(await status({ host: 'evil.test' })).toBe(403);
    expect(await status({ origin: 'http://evil.test' })).toBe(403);
  });

  test('is well again when the fault is mended', async () => {
    await project.edit('src/word.ts', 'return <b>text', 'return text');
    await project.until('did not forget the fault', async () => (await state()).faults.length === 0);
  });

  test('tells of a wrong policy on the page, until it is mended', async () => {
    await project.edit('policies/all.yaml', 'use: module/word', 'uze: module/word');
    await project.until('did not tell of the policy', async () =>
      (await state()).faults.some(({ list }) => list.some(({ hint }) => hint === 'did you mean "use"?')),
    );
    expect(await word()).toBe('two!');
    await project.edit('policies/all.yaml', 'uze: module/word', 'use: module/word');
    await project.until('did not forget the policy', async () => (await state()).faults.length === 0);
  });

  test('starts again where the configuration was refused at the start', async () => {
    const other = await DevProject.start(filterSource('one'), ['--no-requests'], 'uze: module/word');
    await other.program.waitFor('it starts when that is mended', 60_000);
    await other.edit('policies/all.yaml', 'uze: module/word', 'use: module/word');
    await other.page();
    expect((await other.get('/')).header('x-word')).toBe('one');
    expect(await other.program.stop()).toEqual({ code: 0, signal: null });
  }, 90_000);

  test('says that a project lost its filter, and goes on', async () => {
    await rm(join(project.folder, 'src/index.ts'));
    await project.program.waitFor('neither src/index.ts nor filters/NAME.ts is there', 25_000);
    expect(await word()).toBe('two!');
  });

  test('ends with everything that it started', async () => {
    expect(await project.program.stop('SIGINT')).toEqual({ code: 0, signal: null });
    await expect(project.get('/')).rejects.toThrow('ECONNREFUSED');
    await expect(fetch(page)).rejects.toThrow();
  });
});
