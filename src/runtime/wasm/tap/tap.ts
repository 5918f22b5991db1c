import { randomBytes } from 'node:crypto';
import type { Plugin } from '../plugin.ts';
import type { StreamHost } from '../stream-host.ts';
import type { Vm } from '../vm.ts';
import { Pseudonyms, sha256Hex } from './pseudonyms.ts';
import { redactConfiguration } from './configuration.ts';
import type { InstanceRecord, PluginRecord, TapRecord } from './record.ts';
import { Recorder } from './recorder.ts';
import { Writer, type Redaction } from './writer.ts';

/** What is asked of the tap of each worker. Plain data. */
export interface TapSpec {
  /** `namespace/chain#filter`, or the part after `#`; `*` is every filter. */
  readonly filters: readonly string[];
  /** Beginning of the path; empty: any. */
  readonly path: string;
  /** Fields that the request must have; an empty value: any. Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Streams of each filter, at most. */
  readonly count: number;
  readonly keepSecrets: boolean;
  /** Of each body, at most; 0: their sizes alone. */
  readonly bodyBytes: number;
  /** Further fields whose values are secret. */
  readonly redact: readonly string[];
  /** Key of the pseudonyms, base64: the workers of one recording have the same one. */
  readonly key: string;
}

/** Bytes of lines that may wait for the reader before streams go unrecorded. */
const WAITING_BYTES = 4 * 1024 * 1024;
/** With so many, an instance is not recorded any further: its streams do not end, or are too large. */
const CUT_BYTES = 64 * 1024 * 1024;
/** How often the end of the last streams is looked for. */
const LOOK_MS = 20;
const END_MS = 10_000;

interface Watched {
  readonly vm: Vm;
  readonly instance: string;
  /** Nothing of it is written any more. */
  closed: boolean;
}

/**
 * A tap of one worker: which streams it is for, and what is written of the instances that serve them, from their
 * first moment on. `TapSet` gives them the streams.
 */
export class Tap {
  readonly spec: TapSpec;
  readonly #worker: number;
  readonly #moduleOf: (plugin: Plugin) => { name: string; digest: string } | null;
  readonly #write: (lines: string) => void;
  readonly #redaction: Redaction | null;
  readonly #watched = new Map<Vm, Watched>();
  /** Lines that the reader has not taken yet, in bytes. */
  #waiting = 0;
  #pending: string[] = [];
  #flush: NodeJS.Immediate | null = null;
  #lastInstance = 0;
  /** Secrets by their digests are looked for in these. */
  #configurations = '';
  #instance = '';
  /** Begun, and those that were chosen while the reader was too slow. */
  streams = 0;
  dropped = 0;

  /** @param write takes whole lines; `taken` says when they are gone */
  constructor(
    spec: TapSpec,
    worker: number,
    moduleOf: (plugin: Plugin) => { name: string; digest: string } | null,
    write: (lines: string) => void,
  ) {
    this.spec = spec;
    this.#worker = worker;
    this.#moduleOf = moduleOf;
    this.#write = write;
    const key = spec.key === '' ? randomBytes(32) : Buffer.from(spec.key, 'base64');
    this.#redaction = spec.keepSecrets
      ? null
      : {
          pseudonyms: new Pseudonyms(key, (secret, pseudonym) => this.#alias(secret, pseudonym)),
          fields: new Set(spec.redact.map((name) => name.toLowerCase())),
        };
  }

  /** Writes what there is when the streams that run are over, or after a while; no more may be given to it. */
  async stop(): Promise<void> {
    const until = performance.now() + END_MS;
    const busy = (): boolean =>
      [...this.#watched.values()].some(({ vm, closed }) => !closed && vm.streams > 0 && !vm.dead);
    while (busy() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    for (const each of this.#watched.values()) this.#close(each, each.vm.dead ? 'trap' : 'done');
    if (this.#flush !== null) clearImmediate(this.#flush);
    this.#hand();
  }

  /** The reader has taken so many bytes. */
  taken(bytes: number): void {
    this.#waiting -= bytes;
  }

  get isSlow(): boolean {
    return this.#waiting > WAITING_BYTES;
  }

  /** Looks on at an instance that is about to start. */
  look(vm: Vm, plugin: Plugin): Recorder {
    const instance = `${this.#worker}-${process.pid}-${++this.#lastInstance}`;
    this.#instance = instance;
    this.#line(this.#instanceRecord(vm, plugin, instance));
    const watched: Watched = { vm, instance, closed: false };
    this.#watched.set(vm, watched);
    return new Recorder(vm, {
      instance,
      writer: new Writer(this.#redaction, this.spec.bodyBytes),
      now: plugin.host.now,
      write: (record) => {
        if (watched.closed) return;
        this.#line(record);
        if (record.result === null) this.#close(watched, 'trap');
        else if (this.#waiting > CUT_BYTES) this.#close(watched, 'too much');
      },
    });
  }

  /** The instance did not start. */
  lost(vm: Vm): void {
    const watched = this.#watched.get(vm);
    if (watched !== undefined) this.#close(watched, 'trap');
  }

  #close(watched: Watched, reason: string): void {
    if (watched.closed) return;
    watched.closed = true;
    this.#watched.delete(watched.vm);
    this.#line({ type: 'end', instance: watched.instance, reason });
    // The guest may be on the stack.
    queueMicrotask(() => watched.vm.group.unwatch(watched.vm));
  }

  isRecorded(vm: Vm): boolean {
    return this.#watched.has(vm);
  }

  /** Filters that share a VM are recorded together: what one leaves in its memory the others find. */
  isFor(plugin: Plugin): boolean {
    return plugin.group.members.some(({ spec: { name } }) =>
      this.spec.filters.some((filter) => filter === '*' || filter === name || name.endsWith(`#${filter}`)),
    );
  }

  wants(stream: StreamHost): boolean {
    const { path, headers } = this.spec;
    if (path === '' && headers.length === 0) return true;
    const head = stream.protocol === 'http' ? stream.headerMap(0) : null;
    if (head === null || !(head.get(':path') ?? '').startsWith(path)) return false;
    return headers.every(([name, value]) => {
      const found = head.get(name);
      return found !== undefined && (value === '' || found === value);
    });
  }

  #line(record: TapRecord): void {
    const line = `${JSON.stringify(record)}\n`;
    this.#waiting += Buffer.byteLength(line);
    this.#pending.push(line);
    this.#flush ??= setImmediate(() => this.#hand());
  }

  #hand(): void {
    this.#flush = null;
    if (this.#pending.length === 0) return;
    const lines = this.#pending.join('');
    this.#pending = [];
    this.#write(lines);
  }

  #instanceRecord(vm: Vm, plugin: Plugin, instance: string): InstanceRecord {
    const { group } = vm;
    const module = this.#moduleOf(plugin) ?? { name: '', digest: '' };
    const plugins = group.members.map((member) => this.#pluginRecord(member));
    return {
      type: 'instance',
      instance,
      module: { ...module, abi: group.module.abi },
      memoryBytes: group.module.memoryBytes,
      vmId: plugin.spec.vmId,
      vmConfiguration: this.#configuration(plugin.spec.vmConfiguration),
      environment: plugin.spec.environment.map(({ name }, i) =>
        this.#redaction === null ? Buffer.from(group.environment[i] ?? []).toString() : `${name}=\0`,
      ),
      tenant: plugin.spec.tenant,
      worker: this.#worker,
      logLevel: plugin.logLevel,
      emptyWhenMissing: plugin.emptyWhenMissing,
      plugins,
    };
  }

  #pluginRecord({ spec }: Plugin): PluginRecord {
    return {
      name: spec.name,
      rootId: spec.rootId,
      configuration: this.#configuration(spec.configuration, spec.secretFields),
      capabilities: spec.capabilities,
      properties: spec.properties,
      upstreams: spec.callouts.map(([name]) => name),
    };
  }

  #configuration(text: string, secrets: readonly string[] = []): string {
    if (this.#redaction === null) return text;
    this.#configurations += text;
    return redactConfiguration(text, this.#redaction.pseudonyms, secrets);
  }

  /** A configuration may hold the digest of a secret in the place of the secret. */
  #alias(secret: string, pseudonym: string): void {
    const digest = sha256Hex(secret);
    if (!this.#configurations.toLowerCase().includes(digest)) return;
    const find = this.#redaction!.pseudonyms.of(digest);
    this.#line({ type: 'alias', instance: this.#instance, find, replace: sha256Hex(pseudonym) });
  }
}
