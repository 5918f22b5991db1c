/**
 * A second reader of HTTP/1.1 heads and chunked bodies, written to be obviously right instead of fast:
 * strings, regular expressions, one rule after the other. It shares no code with `src/runtime/http` and is
 * the judge in the property tests.
 */
import type { ListenerLimits } from '../../src/runtime/snapshot.ts';

export interface SlowHead {
  /** Offset just after the head. */
  end: number;
  /** Pseudo-headers first; names in lower case. */
  fields: [name: string, value: string][];
  framing: 'none' | 'length' | 'chunked' | 'until-close';
  contentLength: number;
  keepAlive: boolean;
  minorVersion: number;
  status: number;
  expectContinue: boolean;
  /** The protocol to switch to, or empty. */
  upgrade: string;
  teTrailers: boolean;
}

export interface SlowBody {
  /** Offset just after the body. */
  end: number;
  data: string;
  trailers: [name: string, value: string][];
}

/** The message is refused with this status. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

/** All bytes are fine so far, and more are needed. */
export class Incomplete extends Error {}

const TOKEN = /[-!#$%&'*+.^_`|~0-9A-Za-z]*/y;
const VALUE = /[\t\x20-\x7e\x80-\xff]*/y;
const TARGET = /[\x21\x22\x24-\x7e\x80-\xff]*/y;
const BLANKS = /[ \t]*/y;
const HEX = /[0-9A-Fa-f]*/y;

class Cursor {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The next character; there must be one. */
  peek(): string {
    if (this.at >= this.text.length) throw new Incomplete();
    return this.text[this.at]!;
  }

  run(pattern: RegExp, limit = Infinity, status = 400): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)![0];
    if (found.length > limit) throw new Refused(status);
    this.at += found.length;
    return found;
  }

  expect(literal: string, status = 400): void {
    for (const character of literal) {
      if (this.peek() !== character) throw new Refused(status);
      this.at++;
    }
  }
}

/** One field line. Its content is limited to `limit` bytes before CRLF. */
function fieldLine(cursor: Cursor, limit: number): [string, string] {
  const start = cursor.at;
  const room = (): number => start + limit - cursor.at;
  const name = cursor.run(TOKEN, room(), 431);
  if (cursor.peek() !== ':' || name === '') {
    // The byte that ends the name is itself past the limit.
    throw new Refused(room() < 0 ? 431 : 400);
  }
  if (room() < 1) throw new Refused(431);
  cursor.at++;
  const value = cursor.run(VALUE, room(), 431);
  cursor.expect('\r\n');
  return [name, value.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')];
}

const lower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const elements = (list: string): string[] =>
  list
    .split(',')
    .map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((element) => element !== '');

const HOP_BY_HOP = [
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
const isForwarding = (name: string): boolean =>
  /^(x-forwarded-.+|forwarded|x-real-ip|x-request-id)$/.test(name);
const mayNotBeNominated = (name: string): boolean =>
  isForwarding(name) ||
  ['host', 'content-length', 'transfer-encoding', 'cookie', 'authorization', 'expect'].includes(name);
const mapped = (name: string): string => lower(name).replace(/[^a-z0-9-]/g, '-');

/** The authority in the form that is compared, or null where it is none. */
export function slowAuthority(text: string, defaultPort: number): string | null {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[-._0-9A-Za-z]+)(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return null;
  let host = lower(parts[1]!);
  if (host.startsWith('[')) {
    try {
      new URL(`http://${host}/`);
    } catch {
      return null;
    }
  } else {
    if (host.length > 255) return null;
    if (host.endsWith('.')) host = host.slice(0, -1);
    if (!host.split('.').every((label) => label.length >= 1 && label.length <= 63)) return null;
  }
  if (parts[2] === undefined) return host;
  const port = Number(parts[2]);
  if (port < 1 || port > 65535) return null;
  return port === defaultPort ? host : `${host}:${parts[2]}`;
}

interface Options {
  kind: 'request' | 'answer';
  limits: ListenerLimits;
  /** Method of the request an answer belongs to. */
  requestMethod?: string;
  secure?: boolean;
}

/** @throws Refused, Incomplete */
export function readHeadSlowly(text: string, options: Options): SlowHead {
  const { limits } = options;
  let start = 0;
  if (options.kind === 'request') {
    const cursor = new Cursor(text);
    for (let empty = 0; cursor.at < text.length && cursor.peek() === '\r';) {
      cursor.expect('\r\n');
      if (++empty > 4) throw new Refused(400);
    }
    start = cursor.at;
  }
  const whole = text.slice(start, start + limits.headBytes);
  try {
    const head = readWithin(new Cursor(whole), options);
    return { ...head, end: start + head.end };
  } catch (error) {
    if (error instanceof Incomplete && whole.length === limits.headBytes) throw refusal(options, 431);
    if (error instanceof Refused) throw refusal(options, error.status);
    throw error;
  }
}

const refusal = (options: Options, status: number): Refused =>
  new Refused(options.kind === 'answer' ? 502 : status);

function version(cursor: Cursor): number {
  cursor.expect('HTTP/');
  if (/[0-9]/.test(cursor.peek()) && cursor.peek() !== '1') throw new Refused(505);
  cursor.expect('1.');
  const minor = cursor.peek();
  if (/[2-9]/.test(minor)) throw new Refused(505);
  if (!/[01]/.test(minor)) throw new Refused(400);
  cursor.at++;
  return Number(minor);
}

function readWithin(cursor: Cursor, options: Options): SlowHead {
  const { limits, kind, secure = false } = options;
  const request = kind === 'request';
  const pseudo: [string, string][] = [];
  let absolute: { authority: string; port: number } | null = null;
  let minorVersion: number;
  let status = 0;

  if (request) {
    const method = cursor.run(TOKEN, 32);
    if (cursor.peek() !== ' ' || method === '') throw new Refused(400);
    cursor.at++;
    const first = cursor.peek();
    const allowed =
      first === '/' ||
      (method === 'CONNECT' && /[\x21\x22\x24-\x7e\x80-\xff]/.test(first)) ||
      (method === 'OPTIONS' && first === '*') ||
      /[hH]/.test(first);
    if (!allowed) throw new Refused(400);
    const target = cursor.run(TARGET, limits.targetBytes, 414);
    cursor.expect(' ');
    let path = target;
    if (method !== 'CONNECT' && first !== '/') {
      if (first === '*') {
        if (target !== '*') throw new Refused(400);
      } else {
        const parts = /^(https?):\/\/([^/?@]+)([/?].*)?$/is.exec(target);
        if (parts === null) throw new Refused(400);
        absolute = { authority: parts[2]!, port: lower(parts[1]!) === 'http' ? 80 : 443 };
        path = parts[3] ?? (method === 'OPTIONS' ? '*' : '/');
        if (path.startsWith('?')) path = `/${path}`;
      }
    }
    minorVersion = version(cursor);
    cursor.expect('\r\n');
    if (method === 'CONNECT') throw new Refused(501);
    pseudo.push(
      [':method', method],
      [':path', path],
      [':authority', ''],
      [':scheme', secure ? 'https' : 'http'],
    );
  } else {
    minorVersion = version(cursor);
    cursor.expect(' ');
    let code = '';
    for (let i = 0; i < 3; i++) {
      if (!/[0-9]/.test(cursor.peek())) throw new Refused(400);
      code += cursor.peek();
      cursor.at++;
    }
    status = Number(code);
    if (status < 100 || status > 599) throw new Refused(400);
    if (cursor.peek() === ' ') cursor.run(VALUE);
    cursor.expect('\r\n');
    pseudo.push([':status', code]);
  }

  const fields: [string, string][] = [];
  const hosts: string[] = [];
  const lengths: number[] = [];
  const connection: string[] = [];
  const protocols: string[] = [];
  let chunked = false;
  let expects = 0;
  let teTrailers = false;
  for (let lines = 0; cursor.peek() !== '\r';) {
    if (++lines > limits.fields) throw new Refused(431);
    const [name, value] = fieldLine(cursor, limits.fieldBytes);
    const key = lower(name);
    if (['content-length', 'transfer-encoding'].includes(mapped(name)) && mapped(name) !== key)
      throw new Refused(400);
    if (request && name.includes('_') && limits.underscores !== 'allow') {
      if (limits.underscores === 'reject') throw new Refused(400);
      continue;
    }
    if (request && limits.trustedHops === 0 && isForwarding(mapped(name))) continue;
    if (request && key === 'host') {
      if (hosts.push(value) > 1) throw new Refused(400);
      continue;
    }
    if (request && key === 'expect') {
      if (++expects > 1 || lower(value) !== '100-continue') throw new Refused(417);
      continue;
    }
    if (key === 'content-length') {
      if (!/^[0-9]+$/.test(value) || BigInt(value) > 2n ** 53n - 1n) throw new Refused(400);
      if (lengths.length > 0 && (request || lengths[0] !== Number(value))) throw new Refused(400);
      if (lengths.push(Number(value)) > 1) continue;
    }
    if (key === 'transfer-encoding') {
      if (chunked || minorVersion === 0) throw new Refused(400);
      const codings = lower(value).split(/[, \t]/);
      if (lower(value) !== 'chunked')
        throw new Refused(codings[0] === '' || codings[0] === 'chunked' ? 400 : 501);
      chunked = true;
    }
    if (key === 'connection') {
      for (const option of elements(value)) {
        if (!/^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/.test(option)) throw new Refused(400);
        connection.push(lower(option));
      }
      if (nominated(connection).length > 32) throw new Refused(400);
    }
    if (key === 'upgrade') {
      protocols.push(
        ...value.split(/[, \t]/).filter((protocol) => protocol !== '' && lower(protocol) !== 'h2c'),
      );
    }
    if (key === 'te') teTrailers ||= value.split(/[, \t]/).some((coding) => lower(coding) === 'trailers');
    if (!HOP_BY_HOP.includes(key)) fields.push([key, value]);
  }
  cursor.expect('\r\n');

  const contentLength = lengths[0] ?? -1;
  if (chunked && contentLength >= 0) throw new Refused(400);
  let framing: SlowHead['framing'] = chunked ? 'chunked' : contentLength >= 0 ? 'length' : 'none';
  const hasBody = framing !== 'none' && contentLength !== 0;
  let keepAlive = !connection.includes('close') && (minorVersion === 1 || connection.includes('keep-alive'));
  let upgrade = connection.includes('upgrade') ? (protocols[0] ?? '') : '';
  let expectContinue = false;
  if (request) {
    if (hosts.length === 0 && minorVersion === 1) throw new Refused(400);
    let authority: string | null = '';
    if (hosts.length > 0) authority = slowAuthority(hosts[0]!, secure ? 443 : 80);
    if (authority !== null && absolute !== null) authority = slowAuthority(absolute.authority, absolute.port);
    if (authority === null) throw new Refused(400);
    pseudo[2]![1] = authority;
    if (minorVersion === 0) upgrade = '';
    if (upgrade !== '' && hasBody) throw new Refused(400);
    expectContinue = expects > 0 && minorVersion === 1 && hasBody;
  } else {
    if (status !== 101) upgrade = '';
    const bodiless = status < 200 || status === 204 || status === 304 || options.requestMethod === 'HEAD';
    if (bodiless) framing = 'none';
    else if (framing === 'none') {
      framing = 'until-close';
      keepAlive = false;
    }
  }
  const gone = nominated(connection);
  return {
    end: cursor.at,
    fields: [...pseudo, ...fields.filter(([name]) => !gone.includes(name))],
    framing,
    contentLength,
    keepAlive,
    minorVersion,
    status,
    expectContinue,
    upgrade,
    teTrailers,
  };
}

const nominated = (options: string[]): string[] =>
  options.filter(
    (option) => option !== 'close' && !HOP_BY_HOP.includes(option) && !mayNotBeNominated(option),
  );

const NOT_IN_TRAILERS =
  /^(accept-ranges|age|allow|authorization|cache-control|clear-site-data|content-(disposition|encoding|language|length|location|range|security-policy|type)|cookie|date|expect|expires|host|location|max-forwards|origin|pragma|proxy-.*|range|refresh|retry-after|set-cookie|strict-transport-security|vary|via|warning|www-authenticate|if-.*|access-control-.*|sec-.*)$/;

/** One chunk line's extensions, up to CR. */
function extensions(cursor: Cursor): number {
  const start = cursor.at;
  const tooLong = (): void => {
    if (cursor.at - start > 256) throw new Refused(400);
  };
  const blanks = (): boolean => {
    const found = cursor.run(BLANKS).length > 0;
    tooLong();
    return found;
  };
  const one = (pattern: RegExp): void => {
    if (!pattern.test(cursor.peek())) throw new Refused(400);
    cursor.at++;
    tooLong();
  };
  while (cursor.peek() !== '\r') {
    blanks();
    one(/;/);
    blanks();
    if (cursor.run(TOKEN) === '') one(/(?!)/);
    tooLong();
    // White space here belongs to "=" or to the next ";"; before the end of the line there is none.
    let blank = blanks();
    if (cursor.peek() === '=') {
      one(/=/);
      blanks();
      if (cursor.peek() === '"') {
        one(/"/);
        while (cursor.peek() !== '"') {
          if (cursor.peek() === '\\') one(/\\/);
          one(/[\t\x20-\x7e\x80-\xff]/);
        }
        one(/"/);
      } else if (cursor.run(TOKEN) === '') one(/(?!)/);
      tooLong();
      blank = blanks();
    }
    if (blank && cursor.peek() === '\r') throw new Refused(400);
  }
  return cursor.at - start;
}

/** @throws Refused, Incomplete */
export function readChunkedSlowly(
  text: string,
  limits: ListenerLimits,
  kind: 'request' | 'answer' = 'request',
): SlowBody {
  const cursor = new Cursor(text);
  let data = '';
  let extensionBytes = 0;
  for (;;) {
    const digits = cursor.run(HEX, 16);
    const size = Number(`0x${digits || '0'}`);
    if (size > Number.MAX_SAFE_INTEGER) throw new Refused(400);
    if (digits === '' && cursor.peek() !== '') throw new Refused(400);
    extensionBytes += extensions(cursor);
    if (extensionBytes > Math.max(16 * 1024, 2 * data.length)) throw new Refused(400);
    cursor.expect('\r\n');
    if (size === 0) break;
    if (cursor.at + size > text.length) throw new Incomplete();
    data += text.slice(cursor.at, cursor.at + size);
    cursor.at += size;
    cursor.expect('\r\n');
  }
  const start = cursor.at;
  const section = new Cursor(text.slice(start, start + limits.headBytes));
  const trailers: [string, string][] = [];
  try {
    for (let lines = 0; section.peek() !== '\r';) {
      if (++lines > limits.fields) throw new Refused(431);
      const [name, value] = fieldLine(section, limits.fieldBytes);
      const key = lower(name);
      if (['content-length', 'transfer-encoding'].includes(mapped(name)) && mapped(name) !== key)
        throw new Refused(400);
      if (kind === 'request' && name.includes('_') && limits.underscores !== 'allow') {
        if (limits.underscores === 'reject') throw new Refused(400);
        continue;
      }
      if (HOP_BY_HOP.includes(key) || isForwarding(key) || NOT_IN_TRAILERS.test(key)) continue;
      trailers.push([key, value]);
    }
    section.expect('\r\n');
  } catch (error) {
    if (error instanceof Incomplete && section.text.length === limits.headBytes) throw new Refused(431);
    throw error;
  }
  return { end: start + section.at, data, trailers };
}

/** The normal form of a path, or null where it is refused. */
export function normaliseSlowly(
  path: string,
  policy: Pick<ListenerLimits, 'escapedSlashes' | 'backslash' | 'mergeSlashes' | 'pathParameters'>,
): string | null {
  if (path === '*') return path;
  if (!path.startsWith('/') || !/^[\x21\x22\x24-\x7e\x80-\xff]*$/.test(path)) return null;
  const [, before, query] = /^([^?]*)(\?.*)?$/s.exec(path)!;
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(before!)) return null;
  let text = before!;
  // A mark stands for a slash that stays escaped, so that no later step takes it for a separator.
  const backslashRefused = policy.backslash === 'reject';
  if (backslashRefused && text.includes('\\')) return null;
  if (policy.escapedSlashes === 'reject' && /%2f|%5c/i.test(text)) return null;
  if (policy.escapedSlashes === 'decode' && backslashRefused && /%5c/i.test(text)) return null;
  text = text.replace(/\\/g, '/').replace(/%([0-9A-Fa-f]{2})/g, (escape, digits: string) => {
    const character = String.fromCharCode(parseInt(digits, 16));
    if (/[-._~0-9A-Za-z]/.test(character)) return character;
    return /[/\\]/.test(character) && policy.escapedSlashes === 'decode' ? '/' : escape;
  });
  if (text.split('/').some((segment) => /^\.{1,2}(;|%3b)/i.test(segment))) return null;
  if (policy.pathParameters === 'reject' && /;|%3b/i.test(text)) return null;
  if (policy.pathParameters === 'remove') text = text.replace(/;[^/]*/g, '');
  if (policy.mergeSlashes) text = text.replace(/\/+/g, '/');
  const out: string[] = [];
  const segments = text.slice(1).split('/');
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '..') {
      if (out.pop() === undefined) return null;
    } else if (segment !== '.') {
      out.push(segment);
      continue;
    }
    if (last) out.push('');
  }
  return `/${out.join('/')}${query ?? ''}`;
}
