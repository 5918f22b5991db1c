/** gRPC servers that weir did not write: the library of grpc-node, and one that breaks the rules over plain HTTP/2. */
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createBareServer, type AddressInfo, type Socket } from 'node:net';
import { atEnd } from './cleanup.ts';
import type { TestCertificate } from './certificate.ts';

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  ...bytes,
});

const ECHO: ServiceDefinition = {
  Unary: method('Unary', false, false),
  Fail: method('Fail', false, false),
  Hang: method('Hang', false, false),
  Split: method('Split', false, true),
  Join: method('Join', true, false),
  Chat: method('Chat', true, true),
  Refuse: method('Refuse', true, true),
};

/** Of Envoy's protocol for rate limits: refuses a descriptor with `limited` in it. */
const RATE_LIMIT: ServiceDefinition = {
  ShouldRateLimit: {
    path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    requestStream: false,
    responseStream: false,
    ...bytes,
  },
};

/** Messages are bytes as they are. */
export class GrpcServer {
  readonly port: number;
  /** Metadata of each call, in the order in which they came. */
  readonly metadata: Record<string, unknown>[] = [];
  /** Milliseconds that each call had left, by its deadline; Infinity without one. */
  readonly left: number[] = [];
  /** `:authority` of each call. */
  readonly hosts: string[] = [];
  cancelled = 0;
  /** Messages that `Chat` and `Join` got. */
  readonly received: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(tls: TestCertificate | null = null, port = 0): Promise<GrpcServer> {
    const server = new Server({
      'grpc.max_receive_message_length': 16 << 20,
      'grpc.max_send_message_length': 16 << 20,
    });
    const credentials =
      tls === null
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { cert_chain: Buffer.from(tls.certificatePem), private_key: Buffer.from(tls.keyPem) },
          ]);
    const bound = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, credentials, (error, at) =>
        error === null ? resolve(at) : reject(error),
      ),
    );
    const echo = new GrpcServer(server, bound);
    server.addService(ECHO, {
      Unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => echo.#unary(call, done),
      Fail: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        echo.#note(call);
        const [code, details] = call.request.toString().split(' ', 2);
        done({ code: Number(code), details: details!, metadata: trailer('x-why', 'because') });
      },
      Hang: (call: ServerUnaryCall<Buffer, Buffer>) => {
        echo.#note(call);
        call.on('cancelled', () => echo.cancelled++);
      },
      Split: (call: ServerWritableStream<Buffer, Buffer>) => {
        echo.#note(call);
        for (const part of call.request.toString().split(' ')) call.write(Buffer.from(part));
        call.end(trailer('x-parts', 'all'));
      },
      Join: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        echo.#note(call);
        const parts: Buffer[] = [];
        call.on('data', (part: Buffer) => parts.push(part));
        call.on('end', () => done(null, Buffer.concat(parts)));
      },
      Chat: (call: ServerDuplexStream<Buffer, Buffer>) => echo.#chat(call),
      Refuse: (call: ServerDuplexStream<Buffer, Buffer>) => {
        echo.#note(call);
        call.emit('error', { code: status.PERMISSION_DENIED, details: 'not you' });
      },
    });
    server.addService(RATE_LIMIT, {
      ShouldRateLimit: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        echo.#note(call);
        done(null, Buffer.of(8, call.request.includes('limited') ? 2 : 1));
      },
    });
    atEnd(() => server.forceShutdown());
    return echo;
  }

  #unary(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
    this.#note(call);
    const head = new Metadata();
    head.set('x-head', 'first');
    head.set('x-bytes-bin', Buffer.from([0, 255, 10]));
    call.sendMetadata(head);
    done(null, Buffer.concat([Buffer.from('echo:'), call.request]), trailer('x-tail', 'last'));
  }

  #chat(call: ServerDuplexStream<Buffer, Buffer>): void {
    this.#note(call);
    call.on('cancelled', () => this.cancelled++);
    call.on('data', (message: Buffer) => {
      this.received.push(message.toString());
      if (message.toString() === 'fail')
        call.emit('error', { code: status.ABORTED, details: 'as you wish: ü%' });
      else call.write(Buffer.from(`you said ${message.toString()}`));
    });
    call.on('end', () => call.end(trailer('x-heard', String(this.received.length))));
  }

  #note(call: { metadata: Metadata; getDeadline(): Date | number; getHost(): string }): void {
    this.metadata.push(call.metadata.getMap());
    this.left.push(Number(call.getDeadline()) - Date.now());
    this.hosts.push(call.getHost());
  }

  /** Sends GOAWAY, lets calls under way finish, and listens no more. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

function trailer(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}

/** What to do with a stream of an HTTP/2 server. */
export type StreamBehaviour = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void;

export interface Http2Peer {
  readonly port: number;
  readonly server: Http2Server;
  readonly sessions: ServerHttp2Session[];
  /** Heads of the streams that came. */
  readonly heads: Record<string, unknown>[];
}

/** A server without TLS that does what the test says to each stream. */
export async function http2Peer(behaviour: StreamBehaviour, maxConcurrentStreams = 100): Promise<Http2Peer> {
  const server = createServer({ settings: { maxConcurrentStreams } });
  const sessions: ServerHttp2Session[] = [];
  const heads: Record<string, unknown>[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    heads.push(headers);
    behaviour(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, sessions, heads };
}

/** A gRPC message with its head. */
export function frame(message: string | Buffer, flag = 0): Buffer {
  const body = Buffer.from(message as string);
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Answers a stream as gRPC does, with these bytes and this status. */
export function answerGrpc(
  stream: ServerHttp2Stream,
  body: Buffer,
  trailers: Record<string, string> = { 'grpc-status': '0' },
): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

const PREFACE = 24;
const FRAME_HEAD = 9;

/** HTTP/2 frames by hand, for what no library sends. Numbers of types and flags as in RFC 9113, section 6. */
export const wire = {
  frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
    const head = Buffer.alloc(FRAME_HEAD);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  },
  settings: (): Buffer => wire.frame(4, 0, 0),
  /** `:status: 200` from the static table, and fields as literals that are not indexed. */
  head(stream: number, fields: Readonly<Record<string, string>>, flags = 4): Buffer {
    return wire.frame(1, flags, stream, Buffer.concat([Buffer.from([0x88]), literals(fields)]));
  },
  trailers: (stream: number, fields: Readonly<Record<string, string>>): Buffer =>
    wire.frame(1, 5, stream, literals(fields)),
  data: (stream: number, bytes: Buffer, flags = 0): Buffer => wire.frame(0, flags, stream, bytes),
  reset(stream: number, code: number): Buffer {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    return wire.frame(3, 0, stream, payload);
  },
  goaway(last: number, code: number): Buffer {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last);
    payload.writeUInt32BE(code, 4);
    return wire.frame(7, 0, 0, payload);
  },
};

function literals(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(fields).map(([name, value]) =>
      Buffer.concat([
        Buffer.from([0, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]),
    ),
  );
}

export interface WirePeer {
  readonly port: number;
  /** Connections that were made. */
  readonly sockets: Socket[];
}

/**
 * A server of HTTP/2 that writes frames by hand.
 *
 * @param onHead called for each head that comes, with its stream
 * @param stubborn stays when the client says that the connection is broken
 */
export async function wirePeer(
  onHead: (send: (...frames: Buffer[]) => void, stream: number, connection: number) => void,
  stubborn = false,
): Promise<WirePeer> {
  const sockets: Socket[] = [];
  const server = createBareServer((socket) => {
    const connection = sockets.push(socket) - 1;
    socket.on('error', () => undefined);
    socket.write(wire.settings());
    let bytes = Buffer.alloc(0);
    let at = PREFACE;
    socket.on('data', (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= at + FRAME_HEAD) {
        const size = bytes.readUIntBE(at, 3);
        if (bytes.length < at + FRAME_HEAD + size) return;
        const type = bytes[at + 3]!;
        const stream = bytes.readUInt32BE(at + 5);
        // SETTINGS and PING want an answer.
        if (type === 4 && (bytes[at + 4]! & 1) === 0) socket.write(wire.frame(4, 1, 0));
        if (type === 6 && (bytes[at + 4]! & 1) === 0)
          socket.write(wire.frame(6, 1, 0, bytes.subarray(at + FRAME_HEAD, at + FRAME_HEAD + 8)));
        at += FRAME_HEAD + size;
        // GOAWAY: the other side has seen an error.
        if (type === 7 && !stubborn) socket.end();
        if (type === 1) onHead((...frames) => socket.write(Buffer.concat(frames)), stream, connection);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}
