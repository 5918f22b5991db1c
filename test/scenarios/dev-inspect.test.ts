import { readFile } from 'node:fs/promises';
import { SourceMap, type SourceMapping } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { DevProject, filterSource } from '../support/dev.ts';
import { InspectorClient, type ParsedScript, type Paused } from '../support/inspector.ts';
import { freePort } from '../support/ports.ts';

const DATA_URL = 'data:application/json;base64,';

interface RawMap {
  readonly sources: readonly string[];
  readonly sourceRoot: string;
  readonly sourcesContent: readonly string[];
}

/** A map inside a module, read by Node's own reader of maps. */
function mapOf({ sourceMapURL }: ParsedScript): { raw: RawMap; map: SourceMap } {
  expect(sourceMapURL?.startsWith(DATA_URL)).toBe(true);
  const text = Buffer.from(sourceMapURL!.slice(DATA_URL.length), 'base64').toString();
  return { raw: JSON.parse(text) as RawMap, map: new SourceMap(JSON.parse(text)) };
}

describe('weir dev --inspect', () => {
  let project: DevProject;
  let debuggerPort: number;
  let client: InspectorClient;
  let script: ParsedScript;
  let lines: readonly string[];

  const lineOf = (text: string): number => lines.findIndex((line) => line.includes(text)) + 1;

  beforeAll(async () => {
    debuggerPort = await freePort();
    project = await DevProject.start(filterSource('one'), [
      '--inspect',
      String(debuggerPort),
      '--no-overlay',
    ]);
    await project.page();
    lines = (await readFile(join(project.folder, 'src/index.ts'), 'utf8')).split('\n');
    client = await InspectorClient.connect(debuggerPort);
    await client.send('Runtime.enable');
    await client.send('Debugger.enable');
    // The host has a few bytes of Wasm of its own, without a map.
    script = await client.next<ParsedScript>(
      'Debugger.scriptParsed',
      ({ scriptLanguage, sourceMapURL }) => scriptLanguage === 'WebAssembly' && sourceMapURL !== '',
    );
  }, 90_000);

  test('gives a debugger a map to the files of the project, with their text', () => {
    const { raw } = mapOf(script);
    const at = raw.sources.indexOf('src/index.ts');
    expect(new URL(raw.sources[at]!, raw.sourceRoot).href).toBe(
      pathToFileURL(join(project.folder, 'src/index.ts')).href,
    );
    expect(raw.sourcesContent[at]).toBe(lines.join('\n'));
  });

  test('stops at a line of the source, shows its variables, and answers when it goes on', async () => {
    const { raw, map } = mapOf(script);
    const wanted = lineOf("responseHeaders.set('x-seen'");
    const isWanted = (column: number): boolean => {
      const entry = map.findEntry(0, column);
      // Code that comes from nowhere has an entry without a source.
      const { originalSource, originalLine } = entry as Partial<SourceMapping>;
      return originalSource?.endsWith('src/index.ts') === true && originalLine! + 1 === wanted;
    };
    // As a debugger does it: the first place in the code that the map says is of that line.
    let columnNumber = 0;
    while (!isWanted(columnNumber)) columnNumber++;
    await client.send('Debugger.setBreakpoint', {
      location: { scriptId: script.scriptId, lineNumber: 0, columnNumber },
    });

    const answer = project.get('/');
    const paused = await client.next<Paused>('Debugger.paused');
    const [frame] = paused.callFrames;
    expect(frame!.functionName).toMatch(/Word#onResponseHeaders$/);
    expect(isWanted(frame!.location.columnNumber)).toBe(true);
    const local = frame!.scopeChain.find(({ type }) => type === 'local')!;
    const variable = async (name: string): Promise<unknown> => {
      const { result } = await client.send<{ result: { name: string; value: { objectId: string } }[] }>(
        'Runtime.getProperties',
        { objectId: local.object.objectId },
      );
      const found = result.find((each) => each.name === `$${name}`)!;
      const value = await client.send<{ result: { name: string; value: { value: unknown } }[] }>(
        'Runtime.getProperties',
        { objectId: found.value.objectId },
      );
      return value.result.find((each) => each.name === 'value')!.value.value;
    };
    // :status and the two fields of the upstream that a proxy hands on, whatever their number.
    const seen = (await variable('seen')) as number;
    expect(seen).toBe(await variable('count'));
    expect(seen).toBeGreaterThan(1);

    // A step stays in the source.
    await client.send('Debugger.stepOver');
    await client.next<Paused>('Debugger.paused');
    expect(raw.sources.length).toBeGreaterThan(1);
    // For much longer than a filter may take.
    await sleep(1500);
    await client.send('Debugger.resume');
    expect(await answer).toMatchObject({ status: 200 });
    expect((await answer).header('x-seen')).toBe(String(seen));
    expect(project.program.output).not.toMatch(/ended|exited|does not answer/);
  });

  test('serves a save that comes while it stands at a breakpoint', async () => {
    const answer = project.get('/');
    await client.next<Paused>('Debugger.paused');
    await project.edit('src/index.ts', "word('one')", "word('two')");
    await project.program.waitFor(/live after [^]*compiled/, 25_000);
    // The breakpoint is one of the module that goes.
    await client.send('Debugger.setBreakpointsActive', { active: false });
    await client.send('Debugger.resume');
    expect((await answer).header('x-word')).toBe('one');
    await project.until(
      'did not serve the save',
      async () => (await project.get('/')).header('x-word') === 'two',
    );
  });

  test('ends while somebody looks', async () => {
    client.close();
    expect(await project.program.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
