/** The data plane's gRPC client on clusters of a test, and what comes of its calls. */
import { Cluster } from '../../src/runtime/cluster.ts';
import { GrpcClient } from '../../src/runtime/grpc/client.ts';
import type { GrpcExchange, GrpcRequest, GrpcSink } from '../../src/runtime/grpc/transport.ts';
import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';
import type { ClusterSpec } from '../../src/runtime/snapshot.ts';
import { TimerWheel } from '../../src/runtime/timer-wheel.ts';
import { atEnd } from './cleanup.ts';

/** Everything that a call delivered, in order. */
export class Heard implements GrpcSink {
  readonly events: string[] = [];
  readonly messages: Buffer[] = [];
  initial: [string, string][] = [];
  trailing: [string, string][] = [];
  status = -1;
  statusText = '';
  exchange!: GrpcExchange;
  /** Resolves with the status. */
  readonly closed: Promise<number>;
  #close: (status: number) => void = () => undefined;
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  /** Called for each message. */
  onEach: (message: Buffer) => void = () => undefined;

  constructor() {
    this.closed = new Promise((resolve) => (this.#close = resolve));
  }

  onInitialMetadata(metadata: HeaderBlock): void {
    this.events.push('initial');
    this.initial = metadata.entries();
  }

  onMessage(message: Uint8Array): void {
    this.events.push('message');
    const bytes = Buffer.from(message);
    this.messages.push(bytes);
    for (const { count, resolve } of this.#waiting) if (this.messages.length >= count) resolve();
    this.onEach(bytes);
  }

  onTrailingMetadata(metadata: HeaderBlock): void {
    this.events.push('trailing');
    this.trailing = metadata.entries();
  }

  onClose(status: number, message: string): void {
    this.events.push('close');
    this.status = status;
    this.statusText = message;
    this.#close(status);
  }

  async waitForMessages(count: number): Promise<void> {
    if (this.messages.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  get texts(): string[] {
    return this.messages.map((message) => message.toString());
  }
}

export interface CallOptions extends Partial<Omit<GrpcRequest, 'metadata'>> {
  readonly metadata?: readonly (readonly [name: string, value: string])[];
  readonly messages?: readonly (string | Buffer)[];
  /** Leave the sending side open. */
  readonly open?: boolean;
}

export class TestGrpcClient {
  readonly client: GrpcClient;
  readonly cluster: Cluster;

  constructor(ports: readonly number[], spec: Partial<ClusterSpec> = {}) {
    const wheel = new TimerWheel();
    wheel.start();
    this.cluster = new Cluster(
      {
        name: 'test/echo',
        metadata: [],
        source: 'test.yaml:1:1',
        balance: 'round-robin',
        endpoints: ports.map((port) => ({ address: '127.0.0.1', port, weight: 1 })),
        dns: null,
        tls: null,
        connectTimeoutMs: 2000,
        firstByteTimeoutMs: 60_000,
        idleTimeoutMs: 30_000,
        maxConnections: 100,
        maxRequests: 1000,
        maxPending: 100,
        ...spec,
      },
      {
        resolver: { resolve: (name) => Promise.reject(new Error(`no name ${name}`)) },
        onEndpointGone: (endpoint) => this.client.endpointGone(endpoint),
      },
    );
    this.client = new GrpcClient(wheel, (id) => (id === 1 ? this.cluster : undefined));
    atEnd(() => {
      this.client.close();
      wheel.stop();
    });
  }

  call(method: string, options: CallOptions = {}): Heard {
    const heard = new Heard();
    const metadata = new HeaderBlock();
    metadata.reset(MessageKind.Trailers);
    for (const [name, value] of options.metadata ?? []) metadata.appendText(name, value);
    const exchange = this.client.open(
      1,
      { path: `/test.Echo/${method}`, authority: '', timeoutMs: 5000, idleMs: 0, ...options, metadata },
      heard,
    );
    if (exchange === null) throw new Error('no such cluster');
    heard.exchange = exchange;
    for (const message of options.messages ?? []) exchange.send(Buffer.from(message as string));
    if (options.open !== true) exchange.end();
    return heard;
  }

  /** Open connections, all endpoints together. */
  get connections(): number {
    return this.cluster.endpoints.reduce((sum, endpoint) => sum + this.client.connections(endpoint), 0);
  }
}
