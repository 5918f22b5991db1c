import { STATUS_CODES } from 'node:http';
import { MessageKind, type HeaderBlock } from './http/headers.ts';
import { Failure } from './retry.ts';
import type { LocalReply } from './wasm/stream-host.ts';

/** An answer that weir makes itself. Encoded once; `code` is stable and all that a client learns. */
export class Reply {
  readonly status: number;
  readonly code: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly problem: Buffer;
  readonly text: Buffer;

  constructor(status: number, code: string, headers: readonly (readonly [string, string])[] = []) {
    this.status = status;
    this.code = code;
    this.headers = headers;
    const title = STATUS_CODES[status] ?? 'Unknown';
    // RFC 9457: without a type of its own, the title says what the status says.
    this.problem = Buffer.from(`${JSON.stringify({ type: 'about:blank', title, status, code })}\n`);
    this.text = Buffer.from(`${status} ${title}: ${code}\n`);
  }
}

export const Replies = {
  badPath: new Reply(400, 'bad_path'),
  badBody: new Reply(400, 'bad_body'),
  misdirected: new Reply(421, 'misdirected_request'),
  bodyTimeout: new Reply(408, 'body_timeout'),
  bodyTooLarge: new Reply(413, 'body_too_large'),
  targetTooLong: new Reply(414, 'target_too_long'),
  headTooLarge: new Reply(431, 'head_too_large'),
  tooManyFields: new Reply(431, 'too_many_fields'),
  noRoute: new Reply(404, 'no_route'),
  routeLoop: new Reply(500, 'route_loop'),
  noBackend: new Reply(500, 'no_backend'),
  filterFailed: new Reply(500, 'filter_failed'),
  answerTooLarge: new Reply(500, 'answer_too_large'),
  noEndpoint: new Reply(503, 'no_healthy_upstream'),
  overflow: new Reply(503, 'overloaded', [['retry-after', '1']]),
  connectFailed: new Reply(503, 'upstream_connect_failure'),
  connectTimeout: new Reply(504, 'upstream_connect_timeout'),
  upstreamReset: new Reply(503, 'upstream_reset'),
  badAnswer: new Reply(502, 'upstream_protocol_error'),
  answerOverLimit: new Reply(502, 'response_too_large'),
  upstreamTimeout: new Reply(504, 'upstream_timeout'),
  timeout: new Reply(504, 'request_timeout'),
} as const;

/** The answer where no attempt got one. */
export function failureReply(failure: Failure): Reply {
  switch (failure) {
    case Failure.ConnectRefused:
    case Failure.ConnectFailure:
      return Replies.connectFailed;
    case Failure.ConnectTimeout:
      return Replies.connectTimeout;
    case Failure.PerTryTimeout:
      return Replies.upstreamTimeout;
    case Failure.BadResponse:
      return Replies.badAnswer;
    case Failure.Overflow:
      return Replies.overflow;
    default:
      return Replies.upstreamReset;
  }
}

const NO_BODY = Buffer.alloc(0);

/** Lays an answer of weir's into `answer`. @returns its body */
export function fillReply(answer: HeaderBlock, reply: Reply, accept: string | undefined): Buffer {
  answer.reset(MessageKind.Response);
  setStatus(answer, reply.status);
  const problem = takesProblem(accept);
  const body = bodyAllowed(reply.status) ? (problem ? reply.problem : reply.text) : NO_BODY;
  for (const [name, value] of reply.headers) answer.appendText(name, value);
  if (body.length > 0) {
    answer.appendText('content-type', problem ? 'application/problem+json' : 'text/plain; charset=utf-8');
    answer.appendText('content-length', String(body.length));
  }
  answer.appendText('date', httpDate());
  return body;
}

/** Lays the answer of a filter into `answer`. @returns its body */
export function fillFilterReply(answer: HeaderBlock, reply: LocalReply, grpc: boolean): Buffer {
  answer.reset(MessageKind.Response);
  let body = Buffer.from(reply.body.buffer, reply.body.byteOffset, reply.body.byteLength);
  let status = reply.status;
  if (grpc) {
    // Trailers-only: the status travels in the head, the body as its message (gRPC over HTTP/2, "Responses").
    status = 200;
    answer.appendText('content-type', 'application/grpc');
    const code = reply.grpcStatus >= 0 ? reply.grpcStatus : grpcStatusOf(reply.status);
    answer.appendText('grpc-status', String(code));
    if (body.length > 0) answer.appendText('grpc-message', grpcMessage(body));
    body = NO_BODY;
  }
  setStatus(answer, status);
  if (!bodyAllowed(status)) body = NO_BODY;
  let typed = grpc;
  for (const [name, value] of reply.headers) {
    if (isName(name, 'content-type')) typed = true;
    answer.append(name, 0, name.length, value, 0, value.length);
  }
  if (body.length > 0 && !typed) answer.appendText('content-type', 'text/plain');
  if (bodyAllowed(status)) answer.appendText('content-length', String(body.length));
  return body;
}

/** A refusal of a head that could not be read: there is no stream, so the bytes are the whole of it. */
export function refusalBytes(status: number, reason: string): Buffer {
  const title = STATUS_CODES[status] ?? 'Bad Request';
  const body = `${JSON.stringify({ type: 'about:blank', title, status, code: 'bad_request', detail: reason })}\n`;
  return Buffer.from(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${body.length}\r\ndate: ${httpDate()}\r\nconnection: close\r\n\r\n${body}`,
    'latin1',
  );
}

function setStatus(answer: HeaderBlock, status: number): void {
  const digits = Buffer.from(String(status), 'latin1');
  answer.setValue(0, digits, 0, digits.length);
}

function bodyAllowed(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

function takesProblem(accept: string | undefined): boolean {
  return accept === undefined || /application\/(?:problem\+json|json|\*)|\*\/\*/i.test(accept);
}

function isName(bytes: Uint8Array, name: string): boolean {
  return bytes.length === name.length && Buffer.from(bytes).toString('latin1').toLowerCase() === name;
}

let dateSecond = -1;
let dateText = '';

/** The date as RFC 9110 §5.6.7 writes it; made once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** What an HTTP status means to a gRPC client ("HTTP to gRPC Status Code Mapping"). */
function grpcStatusOf(status: number): number {
  if (status === 400) return 13;
  if (status === 401) return 16;
  if (status === 403) return 7;
  if (status === 404) return 12;
  return status === 429 || (status >= 502 && status <= 504) ? 14 : 2;
}

/** `grpc-message` of gRPC over HTTP/2: bytes but for space to tilde, and the percent sign, are encoded. */
function grpcMessage(text: Uint8Array): string {
  let message = '';
  for (const byte of text) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    message += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return message;
}
