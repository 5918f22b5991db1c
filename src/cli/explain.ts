import { isIP } from 'node:net';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { formatDiagnostics } from '../control/diagnostic.ts';
import { loadConfiguration } from '../control/load.ts';
import { nearest } from '../control/nearest.ts';
import { ERRORS, explainError } from '../errors.ts';
import { explain } from '../explain/explanation.ts';
import { withoutTexts } from '../explain/redaction.ts';
import { Rehearsal } from '../rehearsal/rehearsal.ts';
import {
  parseUrl,
  portFor,
  rehearsedRequest,
  withCredentials,
  type RequestUrl,
} from '../rehearsal/request.ts';
import { PLAIN_ANSWER, type UpstreamStep } from '../rehearsal/scripted-upstream.ts';
import { StageError } from '../runtime/plugin-set.ts';
import { adminOption, adminTokenOption, checkAdmin } from './admin-client.ts';
import { ExitCode } from './exit-codes.ts';
import {
  explainLive,
  explainOthers,
  printExplanation,
  type LiveFlags,
  type LiveRequest,
} from './explain-live.ts';
import { wrapped } from './output.ts';
import { startFaultText } from './start-faults.ts';
import { stderrLog } from './stderr-log.ts';

interface ExplainFlags extends LiveFlags {
  readonly live: boolean;
  readonly connectTo?: LiveRequest['connectTo'];
  readonly insecure: boolean;
  readonly file: readonly string[];
  readonly header: readonly (readonly [name: string, value: string])[];
  readonly data?: string;
  readonly client: string;
  readonly as?: string;
  readonly upstreamStatus: number;
}

const HELP = `
Examples:
  weir explain WEIR1042
  weir explain GET https://shop.example.com/v1/cart -H 'x-api-key: demo' -f policies
  weir explain --live GET https://shop.example.com/v1/cart -H 'x-api-key: demo'
  weir explain --live --for 5m --count 20

With -f the request runs through the configuration in this process: the same routing, the same filters.
Upstreams are not asked, they count as answering 200; limits and shared data are empty at the start.

With --live it goes to a running weir, which explains what it does with it. Without a URL a field is printed that
others add to their requests: those that carry it are explained while the command runs.`;

/** `weir explain METHOD URL -f PATH…`, and `weir explain WEIRnnnn`. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('say what a configuration does with a request, and why; or what an error code means')
    .argument('[method-or-code]', 'GET, POST, …; or WEIRnnnn')
    .argument('[url]', 'http:// or https://', parseTarget)
    .option('-f, --file <path...>', 'files and folders of YAML', [])
    .option(
      '-H, --header <field>',
      'a header field, `name: value`; may be given several times',
      collectHeader,
      [],
    )
    .option('-d, --data <text>', "the request's body")
    .addOption(
      new Option('--as <consumer>', 'shows credentials of a Consumer: `name`, or `namespace/name`').conflicts(
        'live',
      ),
    )
    .addOption(
      new Option('--client <address>', 'IP address of the client')
        .argParser(parseAddress)
        .default('127.0.0.1')
        .conflicts('live'),
    )
    .addOption(
      new Option('--upstream-status <status>', 'what upstreams answer')
        .argParser(parseStatus)
        .default(200)
        .conflicts('live'),
    )
    .addOption(new Option('--live', 'ask a running weir').default(false).conflicts('file'))
    .option('--connect-to <host:port>', 'with --live: send it there, whatever the URL says', parseConnectTo)
    .option('-k, --insecure', 'with --live: take any certificate', false)
    .option('--for <duration>', 'with --live: end after this time', '60s')
    .option('--count <n>', 'with --live and no URL: end after so many requests', '1')
    .option(
      '--redact <field>',
      'with --live: a further field whose values are secret; may be repeated',
      collect,
      [],
    )
    .addOption(adminOption())
    .addOption(adminTokenOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(
      async (
        first: string | undefined,
        url: RequestUrl | undefined,
        flags: ExplainFlags,
        command: Command,
      ) => {
        if (flags.live) {
          checkAdmin(flags, command);
          process.exitCode = await askLive(first, url, flags, command);
          return;
        }
        if (first === undefined)
          command.error('error: what is to be explained? An error code, or METHOD and URL');
        if (url === undefined) {
          const text = explainError(first);
          if (text === null) command.error(`error: ${missingUrl(first)}`);
          process.stdout.write(wrapped(text, process.stdout));
          return;
        }
        if (flags.file.length === 0) command.error('error: -f PATH… is missing: which configuration?');
        process.exitCode = await explainRequest(first, url, flags);
        // A filter may have left a timer.
        process.exit();
      },
    );
}

/** What to write in place of one argument that is no code. */
function missingUrl(first: string): string {
  if (/^(WEIR)?\d+$/i.test(first)) {
    const near = nearest(first.toUpperCase(), Object.keys(ERRORS));
    return `there is no code ${first}${near === null ? '' : `; did you mean ${near}?`}`;
  }
  if (first.includes('/')) return `a method is missing: weir explain GET ${first} -f PATH…`;
  return 'a URL is missing: weir explain METHOD URL -f PATH…';
}

function askLive(
  method: string | undefined,
  url: RequestUrl | undefined,
  flags: ExplainFlags,
  command: Command,
): Promise<number> {
  if (method === undefined) return explainOthers(flags);
  if (url === undefined) command.error('error: a URL is missing: weir explain --live METHOD URL');
  const request: LiveRequest = {
    method,
    url,
    headers: flags.header,
    body: flags.data ?? '',
    connectTo: flags.connectTo ?? null,
    insecure: flags.insecure,
  };
  return explainLive(request, { ...flags, count: '1' });
}

async function explainRequest(method: string, url: RequestUrl, flags: ExplainFlags): Promise<number> {
  const { snapshot, code, diagnostics, consumers, secretTexts, placeOf } = await loadConfiguration(
    flags.file,
    {
      standIns: flags.as !== undefined,
    },
  );
  process.stderr.write(formatDiagnostics(diagnostics, { color: process.stderr.isTTY, consequence: null }));
  if (snapshot === null) return ExitCode.Refused;
  const port = portFor(snapshot, url);
  if (port === null) {
    const known = snapshot.ports.map(
      ({ address, port: number, protocol }) => `${protocol} ${address}:${number}`,
    );
    process.stderr.write(`No listener takes this URL. There are: ${known.join(', ') || 'none'}.\n`);
    return ExitCode.Refused;
  }
  const who = flags.as?.includes('/') === false ? `default/${flags.as}` : flags.as;
  const shown = who === undefined ? undefined : consumers.get(who);
  if (who !== undefined && (shown === undefined || shown.headers.length + shown.query.length === 0)) {
    const known = [...consumers]
      .filter(([, { headers, query }]) => headers.length + query.length > 0)
      .map(([name]) => name);
    process.stderr.write(
      `No filter selects a Consumer ${who} by a credential apiKey or basic. Those that are: ${known.join(', ') || 'none'}.\n`,
    );
    return ExitCode.Refused;
  }
  let rehearsal: Rehearsal;
  try {
    rehearsal = await Rehearsal.open(snapshot, code, stderrLog);
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    process.stderr.write(await startFaultText({ snapshot, code, placeOf }, flags.file, error));
    return ExitCode.Refused;
  }
  const answers: readonly UpstreamStep[] = [{ ...PLAIN_ANSWER, status: flags.upstreamStatus }];
  const parts = {
    method,
    url,
    headers: flags.header,
    body: Buffer.from(flags.data ?? ''),
    client: flags.client,
  };
  const request = rehearsedRequest(shown === undefined ? parts : withCredentials(parts, shown));
  const script = new Map(snapshot.clusters.map(({ name }) => [name, answers]));
  const { trace, answer } = await rehearsal.send(port, request, script);
  const explanation = explain(snapshot, port, trace, answer?.status ?? 0);
  await rehearsal.close();
  printExplanation(withoutTexts(explanation, secretTexts), flags.output);
  return ExitCode.Ok;
}

function parseTarget(text: string): RequestUrl {
  const url = parseUrl(text);
  if (url === null)
    throw new InvalidArgumentError('Write the scheme and the host too: http://shop.example.com/cart');
  return url;
}

function collectHeader(
  text: string,
  before: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('expected `name: value`');
  return [...before, [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]];
}

function parseConnectTo(text: string): LiveRequest['connectTo'] {
  const [, ipv6, host = ipv6, port = ''] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidArgumentError('expected HOST:PORT');
  return { host, port: Number(port) };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function parseAddress(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new InvalidArgumentError('expected an IP address');
}

function parseStatus(text: string): number {
  const status = Number(text);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new InvalidArgumentError('expected a status from 200 to 599');
}
