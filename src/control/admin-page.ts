import type { ServerResponse } from 'node:http';

/** What the admin server answers at one path. */
export interface Page {
  readonly method: 'GET' | 'POST';
  readonly about: string;
  /** Answers without a token: it tells nothing but whether weir is ready. */
  readonly open?: boolean;
  answer(query: URLSearchParams, response: ServerResponse): Promise<void> | void;
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(value, null, 2)}\n`);
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', text);
}

export function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}
