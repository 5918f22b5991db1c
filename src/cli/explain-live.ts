import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { explanationText, type Explanation } from '../explain/explanation.ts';
import type { RequestUrl } from '../rehearsal/request.ts';
import { askAdmin, linesOf, type AdminFlags } from './admin-client.ts';
import { ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { nearPlace } from './near-place.ts';
import { colorsFor } from './output.ts';

export interface LiveFlags extends AdminFlags {
  readonly for: string;
  readonly count: string;
  readonly redact: readonly string[];
  readonly output: 'text' | 'json';
}

/** A request that goes to a running weir. */
export interface LiveRequest {
  readonly method: string;
  readonly url: RequestUrl;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Where it goes in place of the URL's host and port; null: there. */
  readonly connectTo: { readonly host: string; readonly port: number } | null;
  /** Any certificate will do. */
  readonly insecure: boolean;
}

/** How long the explanation is waited for after the answer, and where there was none. */
const EXPLAINED_MS = 3000;
const UNANSWERED_MS = 300;

interface Token {
  readonly field: string;
  readonly token: string;
}

/** Sends the request with a token, and prints how weir explains it. */
export async function explainLive(request: LiveRequest, flags: LiveFlags): Promise<number> {
  const { token, lines, close } = await open(flags);
  const explained = lines.next();
  const { answered, outcome } = await send(request, token);
  const limit = setTimeout(close, answered ? EXPLAINED_MS : UNANSWERED_MS);
  const { value, done } = await explained;
  clearTimeout(limit);
  close();
  if (done === true || (JSON.parse(value) as { type?: string }).type === 'summary')
    throw new Failure(
      `${outcome}, and the weir at ${flags.admin} has not seen the request: does another server have this URL?`,
    );
  printExplanation(JSON.parse(value) as Explanation, flags.output);
  return ExitCode.Ok;
}

/** Prints a token for others to send, and how weir explains the requests that carry it. */
export async function explainOthers(flags: LiveFlags): Promise<number> {
  const { token, lines, close } = await open(flags);
  const { bold, dim } = colorsFor(process.stderr);
  process.stderr.write(
    `${dim(`explains up to ${flags.count} requests in ${flags.for} that carry this field; Ctrl-C ends it`)}\n`,
  );
  process.stderr.write(`${bold(`${token.field}: ${token.token}`)}\n`);
  process.once('SIGINT', close).once('SIGTERM', close);
  let first = true;
  for await (const line of lines) {
    const record = JSON.parse(line) as Explanation & { type?: string };
    if (record.type === 'summary') break;
    if (!first && flags.output === 'text') process.stdout.write('\n');
    first = false;
    printExplanation(record, flags.output);
  }
  return ExitCode.Ok;
}

async function open(flags: LiveFlags) {
  const query = new URLSearchParams({ for: flags.for, count: flags.count });
  for (const field of flags.redact) query.append('redact', field);
  const response = await askAdmin(flags, 'GET', `/explain?${query.toString()}`);
  const lines = linesOf(response);
  const { value, done } = await lines.next();
  if (done === true) throw new Failure(`the weir at ${flags.admin} ended before it was ready`);
  return { token: JSON.parse(value) as Token, lines, close: () => void response.destroy() };
}

/** What came of it, as a sentence; the body of the answer is thrown away. */
async function send(
  request: LiveRequest,
  { field, token }: Token,
): Promise<{ answered: boolean; outcome: string }> {
  const { url, method, connectTo } = request;
  const port = url.port ?? (url.secure ? 443 : 80);
  const host = url.host.replace(/^\[|\]$/g, '');
  const headers = [...request.headers, [field, token]].flat();
  const given = new Set(request.headers.map(([name]) => name.toLowerCase()));
  if (!given.has('host')) headers.push('Host', url.port === null ? url.host : `${url.host}:${url.port}`);
  if (request.body !== '' && !given.has('content-length'))
    headers.push('Content-Length', String(Buffer.byteLength(request.body)));
  const options = {
    host: connectTo?.host ?? host,
    port: connectTo?.port ?? port,
    method,
    path: url.target,
    headers,
    agent: false,
  };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = url.secure
        ? httpsRequest({
            ...options,
            ...(isIP(host) === 0 ? { servername: host } : {}),
            rejectUnauthorized: !request.insecure,
          })
        : httpRequest(options);
      sent.once('response', resolve).once('error', reject).end(request.body);
    });
    response.resume();
    await new Promise((resolve) => response.once('close', resolve));
    return { answered: true, outcome: `the answer is ${response.statusCode!}` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      answered: false,
      outcome: `${options.host}:${options.port} does not answer (${code ?? message})`,
    };
  }
}

export function printExplanation(explanation: Explanation, output: LiveFlags['output']): void {
  process.stdout.write(
    output === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation, nearPlace),
  );
}
