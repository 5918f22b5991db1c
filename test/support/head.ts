/** Runs the head reader over text, whole or cut into pieces, and gathers what it says. */
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import { Framing, HeadReader, MethodId, NEED_MORE, REFUSED } from '../../src/runtime/http/parse.ts';
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from '../../src/runtime/snapshot.ts';

export interface HeadOptions {
  kind?: 'request' | 'answer';
  limits?: Partial<ListenerLimits>;
  /** Method of the request that an answer belongs to. */
  requestMethod?: MethodId;
  secure?: boolean;
  /** Offsets at which the text is cut. */
  cuts?: readonly number[];
}

export interface ReadHead {
  /** Offset just after the head, NEED_MORE or REFUSED. */
  end: number;
  refusal: number;
  reason: string;
  fields: [string, string][];
  framing: 'none' | 'length' | 'chunked' | 'until-close';
  contentLength: number;
  keepAlive: boolean;
  minorVersion: number;
  status: number;
  method: MethodId;
  expectContinue: boolean;
  upgrade: string;
  teTrailers: boolean;
  block: HeaderBlock;
}

const FRAMINGS = {
  [Framing.None]: 'none',
  [Framing.Length]: 'length',
  [Framing.Chunked]: 'chunked',
  [Framing.UntilClose]: 'until-close',
} as const;

/** Bytes around the text in its buffer, which nobody may read as part of it. */
const AROUND = 'X: y\r\n\r\n';

export function readHead(text: string, options: HeadOptions = {}): ReadHead {
  const limits = { ...DEFAULT_LISTENER_LIMITS, ...options.limits };
  const reader = new HeadReader();
  const block = new HeaderBlock();
  const kind = options.kind === 'answer' ? MessageKind.Response : MessageKind.Request;
  reader.begin(block, kind, limits, options.requestMethod, options.secure);
  let end: number = NEED_MORE;
  let start = 0;
  for (const cut of [...(options.cuts ?? []), text.length]) {
    const piece = Buffer.from(AROUND + text.slice(start, cut) + AROUND, 'latin1');
    const next = reader.read(piece, AROUND.length, piece.length - AROUND.length);
    // What a piece held is the reader's own by now: the buffer serves other connections next.
    piece.fill(0x3f);
    if (next !== NEED_MORE) {
      end = next === REFUSED ? REFUSED : start + next - AROUND.length;
      break;
    }
    start = cut;
  }
  return {
    end,
    refusal: reader.refusal,
    reason: reader.refusalReason,
    fields: block.entries(),
    framing: FRAMINGS[reader.framing],
    contentLength: reader.contentLength,
    keepAlive: reader.keepAlive,
    minorVersion: reader.minorVersion,
    status: reader.status,
    method: reader.method,
    expectContinue: reader.expectContinue,
    upgrade: reader.upgrade ? block.bytes.toString('latin1', reader.upgradeStart, reader.upgradeEnd) : '',
    teTrailers: reader.teTrailers,
    block,
  };
}

/** A request with a Host and the given further lines. */
export function request(...lines: string[]): string {
  return ['GET / HTTP/1.1', 'Host: a.example', ...lines, '', ''].join('\r\n');
}

/** Cuts between all bytes. */
export function everyByte(text: string): number[] {
  return Array.from({ length: text.length - 1 }, (_, i) => i + 1);
}

/** Value of the first field of that name. */
export function field(head: ReadHead, name: string): string | undefined {
  return head.fields.find(([key]) => key === name)?.[1];
}
