import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { isLoopbackHost } from './reference.ts';

const ATTEMPTS = 3;
const BACKOFF_MS = 250;
const MAX_RETRY_AFTER_MS = 5000;
const MAX_REDIRECTS = 5;
const CONNECT_MS = 5000;
/** Until the head of an answer, and between two pieces of its body. */
const SILENCE_MS = 15_000;
/** Of one request with its attempts and redirects. */
const TOTAL_MS = 60_000;

/**
 * What kept a transfer from its end. `unreachable` may pass by itself: nobody answered, or the server says
 * that it cannot at the moment. The others come again.
 */
export type TransferFault = 'unreachable' | 'denied' | 'missing' | 'wrong';

export class TransferError extends Error {
  readonly fault: TransferFault;

  constructor(fault: TransferFault, message: string) {
    super(message);
    this.name = 'TransferError';
    this.fault = fault;
  }
}

export interface TransferRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Bytes of the answer's body at most. */
  readonly limit: number;
}

export interface TransferAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Where it came from after redirects. */
  readonly url: URL;
}

export interface TransferOptions {
  /** PEM of the authorities to trust. Null: those of the system. */
  readonly ca?: string | null;
  /** Milliseconds before the second attempt, doubled for each further one. */
  readonly backoffMs?: number;
  readonly totalMs?: number;
}

/**
 * Requests to servers that are not trusted with memory or time: bounded in bytes, seconds, attempts and
 * redirects. Credentials are not taken along to another origin, and TLS is not left for plain text.
 */
export class Transfer {
  readonly #direct: Dispatcher;
  /** Through the proxies of HTTP_PROXY and HTTPS_PROXY, where there are any, but for the hosts of NO_PROXY. */
  readonly #proxied: Dispatcher;
  readonly #backoffMs: number;
  readonly #totalMs: number;

  constructor({ ca = null, backoffMs = BACKOFF_MS, totalMs = TOTAL_MS }: TransferOptions = {}) {
    this.#backoffMs = backoffMs;
    this.#totalMs = totalMs;
    const connect = { timeout: CONNECT_MS, ...(ca === null ? {} : { ca }) };
    const options = { connect, headersTimeout: SILENCE_MS, bodyTimeout: SILENCE_MS, connections: 4 };
    this.#direct = new Agent(options);
    this.#proxied = new EnvHttpProxyAgent({ ...options, requestTls: connect });
  }

  async close(): Promise<void> {
    await Promise.all([this.#direct.destroy(), this.#proxied.destroy()]);
  }

  /** @throws TransferError where no answer came; one with a status of failure is an answer */
  async send(wanted: TransferRequest): Promise<TransferAnswer> {
    const signal = AbortSignal.timeout(this.#totalMs);
    for (let attempt = 1; ; attempt++) {
      let pauseMs = this.#backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      try {
        const answer = await this.#follow(wanted, signal);
        if (!isPassing(answer.status) || attempt === ATTEMPTS) return answer;
        pauseMs = retryAfterMs(answer) ?? pauseMs;
      } catch (error) {
        if (!(error instanceof TransferError)) throw error;
        if (error.fault !== 'unreachable' || attempt === ATTEMPTS || signal.aborted) throw error;
      }
      await sleep(pauseMs);
    }
  }

  async #follow(wanted: TransferRequest, signal: AbortSignal): Promise<TransferAnswer> {
    let { url, headers = {} } = wanted;
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once({ ...wanted, url, headers }, signal);
      const { location } = answer.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (!isRedirect || typeof location !== 'string' || !/^(GET|HEAD)$/.test(wanted.method)) return answer;
      if (redirects === MAX_REDIRECTS)
        throw new TransferError('wrong', `${url.origin} redirects more than ${MAX_REDIRECTS} times`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
      if (next === null || !/^https?:$/.test(next.protocol))
        throw new TransferError('wrong', `${url.origin} redirects to no URL of http or https`);
      if (url.protocol === 'https:' && next.protocol === 'http:')
        throw new TransferError('wrong', `${url.origin} redirects from https to http, to ${next.origin}`);
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      url = next;
    }
  }

  async #once(
    { method, url, headers, body, limit }: TransferRequest,
    signal: AbortSignal,
  ): Promise<TransferAnswer> {
    try {
      const answer = await request(url, {
        method,
        headers: { 'user-agent': 'weir', ...headers },
        body: body ?? null,
        dispatcher: isLoopbackHost(url.host) ? this.#direct : this.#proxied,
        signal,
      });
      const declared = Number(answer.headers['content-length'] ?? 0);
      const tooLarge = () => {
        answer.body.destroy();
        return new TransferError('wrong', `${url.origin} sends more than ${sizeText(limit)}`);
      };
      answer.body.on('error', () => undefined);
      if (method !== 'HEAD' && declared > limit) throw tooLarge();
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of answer.body as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > limit) throw tooLarge();
        pieces.push(piece);
      }
      return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces), url };
    } catch (error) {
      if (error instanceof TransferError) throw error;
      throw new TransferError(
        isCertificateFault(error) ? 'wrong' : 'unreachable',
        `${url.origin}: ${reasonOf(error)}`,
      );
    }
  }
}

function isPassing(status: number): boolean {
  return status === 429 || status === 500 || (status >= 502 && status <= 504);
}

function retryAfterMs({ headers }: TransferAnswer): number | null {
  const seconds = Number(headers['retry-after'] ?? NaN);
  return seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : null;
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
}

const CERTIFICATE_CODES =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|INVALID_CA)/;

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? '');
}

function isCertificateFault(error: unknown): boolean {
  return CERTIFICATE_CODES.test(codeOf(error));
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (/^(?:ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/.test(code))
    return 'it does not speak TLS there; plain http has to be asked for';
  if (isCertificateFault(error)) return `its certificate is not trusted (${code})`;
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name does not resolve (${code})`;
  if (/TIMEOUT|ABORT/i.test(`${code} ${(error as Error).name}`)) return 'no answer in time';
  const { message } = error as Error;
  return message === '' ? code : message;
}

function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / (1024 * 1024)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

/** @throws TransferError that says what a status means */
export function expectStatus(answer: TransferAnswer, expected: readonly number[], what: string): void {
  const { status, body } = answer;
  if (expected.includes(status)) return;
  const said = errorsOf(body);
  const text = `${what}: ${answer.url.host} answers ${status}${said === '' ? '' : ` (${said})`}`;
  if (status === 401 || status === 403) throw new TransferError('denied', text);
  if (status === 404 || status === 410) throw new TransferError('missing', text);
  throw new TransferError(isPassing(status) ? 'unreachable' : 'wrong', text);
}

/** What a registry says in its answer: `{"errors": [{"code", "message"}]}`. */
function errorsOf(body: Buffer): string {
  try {
    const { errors } = JSON.parse(body.toString('utf8')) as {
      errors?: { code?: unknown; message?: unknown }[];
    };
    const [first] = errors ?? [];
    if (first === undefined) return '';
    return printable(`${String(first.code ?? '')} ${String(first.message ?? '')}`.trim()).slice(0, 200);
  } catch {
    return '';
  }
}

/** Answers of others go to terminals and logs. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
