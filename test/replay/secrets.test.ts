import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecording } from '../../src/replay/recording.ts';
import { Replay } from '../../src/replay/replay.ts';
import { compare, compileForReplay } from '../../src/replay/report.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { exchange, postRequest } from '../support/raw-client.ts';
import { compile, guardedChain } from '../support/recorded-chain.ts';
import { OpenTap } from '../support/recording.ts';

/** Does with all that it is given what filters should not: it logs it, calls with it, shares it, answers with it. */
function leaky(): Promise<Uint8Array> {
  return compile(`export * from '@weir/filters-sdk/assembly/exports';
import {
  Action, CallResponse, PairsWriter, RootContext, StreamContext, enqueue, httpCall, logInfo, property, registerQueue, registerRoot,
  requestBody, requestHeader, requestHeaders, responseHeaders, resumeRequest, compareAndSetShared,
} from '@weir/filters-sdk/assembly';
import { configuration, part, readConfiguration, secret } from '@weir/filters-sdk/assembly/configuration';

@part class Door { @secret code: string = ''; open: string = ''; }
@configuration() class Settings { @secret pin: string = ''; @secret many: string[] = []; door: Door = new Door(); level: i32 = 0; }

let settings: Settings | null = null;
let queue: u32 = 0;

class Root extends RootContext {
  onConfigure(text: ArrayBuffer): bool {
    settings = readConfiguration<Settings>(text);
    if (settings === null) return false;
    queue = registerQueue('spill');
    logInfo('configured with ' + settings!.pin + settings!.many.join(' ') + settings!.door.code + settings!.door.open);
    return true;
  }
  createStream(): StreamContext { return new Leaky(); }
}

class Leaky extends StreamContext {
  private text(name: string): string {
    const value = requestHeader(name);
    return value === null ? '' : value.toString();
  }
  onRequestHeaders(count: i32, endOfStream: bool): Action { return endOfStream ? Action.Continue : Action.Pause; }
  onRequestBody(size: i32, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    const all = requestHeaders.all();
    property('request.headers'); property('request.headers.authorization'); property('request.path');
    const stolen = this.text('authorization') + ' ' + this.text('x-api-key') + ' ' + this.text('cookie') + ' ' + this.text('x-session') +
      ' ' + this.text(':path') + ' ' + this.text('referer');
    logInfo(stolen);
    compareAndSetShared('stolen', stolen, 0);
    enqueue(queue, stolen);
    const body = requestBody.read().toString();
    requestHeaders.set('x-length', body.length.toString());
    const fields = new PairsWriter().add(':method', 'POST').add(':path', '/').add(':authority', 'authz')
      .add('authorization', this.text('authorization')).add('x-stolen', stolen);
    httpCall('authz', fields, body, 5000);
    return Action.Pause;
  }
  onCallResponse(response: CallResponse): void {
    requestHeaders.set('x-verdict', response.body.length.toString());
    resumeRequest();
  }
  onResponseHeaders(count: i32, endOfStream: bool): Action {
    responseHeaders.add('set-cookie', 'kept=' + settings!.pin);
    return Action.Continue;
  }
}
registerRoot(new Root());
`);
}

const BODY = JSON.stringify({ card: '4111-1111-1111-1111', note: 'b0dy-of-the-client'.repeat(3) });
const SECRETS = {
  pin: 'p1n-in-the-configuration',
  one: 'first0fmany00',
  code: 'c0de-of-the-door',
  vm: 'vm-s3cret-value',
  env: 'environment-s3cret',
  bearer: 'bearer-t0ken-abcdef',
  short: 'sh0rt',
  session: 'sess10n',
  cookie: 'c00kie-value-1234',
  answer: 'answer-c00kie-5678',
  query: 'query-t0ken-9999',
  referer: 'referer-t0ken-8888',
  password: 'pa55word',
};
const BODIES = ['4111-1111', 'b0dy-of-the-client', 'b0dy-of-the-callout', 'b0dy-of-the-upstream'];

let weir: Weir;
let port: number;
let module: Uint8Array;

beforeAll(async () => {
  module = await leaky();
  const origin = await FakeUpstream.start({
    behaviour: async (request, answer) => {
      await request.finish();
      await answer.send(200, [['set-cookie', `id=${SECRETS.answer}`]], 'b0dy-of-the-upstream');
    },
  });
  const authz = await FakeUpstream.start({
    behaviour: async (request, answer) => {
      await request.finish();
      await answer.send(200, [['set-cookie', `id=${SECRETS.answer}`]], 'b0dy-of-the-callout');
    },
  });
  port = await freePort();
  const chain = guardedChain({ port, upstreamPort: origin.port, authzPort: authz.port });
  const filters = chain.indexOf('  - name: key\n');
  const { pin, one, code, vm, env } = SECRETS;
  weir = await Weir.start({
    workers: 1,
    files: {
      'guard.wasm': module,
      'edge.yaml': `${chain
        .slice(0, filters)
        .replace(
          '  source: {file: guard.wasm}\n',
          `  source: {file: guard.wasm}\n  capabilities: [default, secrets]\n  vm:\n    configuration: {password: ${vm}}\n    env: [{name: HIDDEN, value: ${env}}]\n`,
        )}  - name: guard
    use: module/guard
    config: {pin: ${pin}, many: [${one}, x], door: {code: ${code}, open: yes-it-is}, level: 7}
    body: {buffer: 64Ki, whileHeadHeld: Show}
    callouts: [{name: authz}]
`,
    },
  });
});
afterAll(() => weir.stop());

async function record(query: string): Promise<string> {
  const tap = await OpenTap.start(weir, `filter=*&for=60s&count=4${query}`);
  const { bearer, short, session, cookie, query: token, referer, password } = SECRETS;
  const basic = Buffer.from(`ann:${password}`).toString('base64');
  for (const credentials of [`Bearer ${bearer}`, `Bearer ${short}`, `Basic ${basic}`, short]) {
    const answer = await exchange(
      { port },
      postRequest(
        `/item?token=${token}&page=3`,
        BODY,
        'shop.test',
        `Authorization: ${credentials}`,
        `X-Api-Key: ${short}`,
        `Cookie: id=${cookie}; other=${short}`,
        `X-Session: ${session}`,
        `Referer: https://shop.test/?api_key=${referer}`,
        'Connection: close',
      ),
    );
    expect(answer.status).toBe(200);
  }
  await tap.rest();
  return tap.text;
}

/** What a recording says, also where it says it in base64. */
function allTextOf(recording: string): string {
  const encoded = [...recording.matchAll(/"base64":"([^"]*)"/g)].map(([, text]) =>
    Buffer.from(text!, 'base64').toString('latin1'),
  );
  return [recording, ...encoded].join('\n');
}

function foundIn(recording: string, literals: readonly string[]): string[] {
  const text = allTextOf(recording);
  return literals.filter(
    (literal) => text.includes(literal) || text.includes(Buffer.from(literal).toString('base64')),
  );
}

function read(recording: string): ReturnType<typeof readRecording> {
  const file = join(mkdtempSync(join(tmpdir(), 'weir-secrets-')), 'leaky.jsonl');
  writeFileSync(file, recording);
  return readRecording(file);
}

async function replay(recording: string): ReturnType<typeof compare> {
  return compare(await read(recording), 'guard', module);
}

describe('a recording of a filter that spreads all that it is given', { timeout: 60_000 }, () => {
  test('has no secret of requests, configuration or environment, and nothing of bodies', async () => {
    const recording = await record('&redact=x-session');
    expect(foundIn(recording, [...Object.values(SECRETS), ...BODIES])).toEqual([]);
    // What is no secret is there, so that the search would find what is.
    expect(foundIn(recording, ['yes-it-is', '/item', 'page=3'])).toHaveLength(3);
    expect(JSON.parse(recording.split('\n', 1)[0]!)).toMatchObject({ secrets: 'redacted', bodies: 0 });
    // Sizes are what the filter asked for, and they are there.
    const report = await replay(recording);
    expect(report).toMatchObject({ requests: 4, different: 0, undecided: 0 });
  });

  test('has of bodies as much as was asked for, and no half of a secret', async () => {
    const recording = await record('&redact=x-session&bodies=12');
    expect(foundIn(recording, Object.values(SECRETS))).toEqual([]);
    expect(foundIn(recording, ['b0dy-of-the-c'])).toEqual([]);
    expect(foundIn(recording, ['{\\"card\\":\\"411', 'b0dy-of-the-'])).toHaveLength(2);
  });

  test('has everything where that was asked for', async () => {
    const recording = await record('&secrets=keep&bodies=all');
    expect(foundIn(recording, [SECRETS.bearer, SECRETS.pin, ...BODIES.slice(0, 3)])).toHaveLength(5);
    const report = await replay(recording);
    expect(report).toMatchObject({ requests: 4, identical: 4, different: 0 });
    // The end of the instance as well, of which a module without proxy_on_done is told by proxy_on_delete alone.
    expect(recording).toMatch(/"callback":"proxy_on_delete","context":1,/);
    const instance = (await read(recording)).instances[0]!;
    const compiled = await compileForReplay(module, instance.record.memoryBytes);
    const steps = await new Replay(compiled, instance, Infinity).run();
    expect(steps.filter(({ replayed }) => replayed === null)).toEqual([]);
  });
});
