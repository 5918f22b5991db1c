import { Direction } from '../runtime/chain.ts';
import { HeaderBlock } from '../runtime/http/headers.ts';
import type { PluginSpec } from '../runtime/snapshot.ts';
import { responseFlagsText } from '../runtime/response-flags.ts';
import type { Stream } from '../runtime/stream.ts';
import type { StreamObserver } from '../runtime/stream-observer.ts';
import { BodyAction, HeadersAction } from '../runtime/wasm/abi.ts';
import { OWN_PREFIX } from '../runtime/wasm/filter-state.ts';
import type { StateValue } from '../runtime/wasm/stream-host.ts';
import { TRAPPED, type StreamContext } from '../runtime/wasm/context.ts';
import type { Plugin } from '../runtime/wasm/plugin.ts';

/** Fields of a head in their order, pseudo-headers first, names lower-case. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** What changed in a head: null on one side is a field that was not there before, or is not after. */
export interface Edit {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** `continued`, `paused` and went on later or never, answered in the upstream's place, or trapped. */
export type Decision = 'continued' | 'paused' | 'replied' | 'trapped';

/** What one filter did to one direction of a stream. */
export interface FilterStep {
  /** `namespace/chain#filter`. */
  readonly filter: string;
  /** Where it is written: `file:line:column`. */
  readonly source: string;
  readonly direction: 'request' | 'response';
  decision: Decision;
  readonly edits: Edit[];
  /** What it says of the request's head itself; empty: nothing. */
  told: string;
}

/** What a filter that was made of policies told of its decision. */
export interface AccessTrace {
  readonly plugin: PluginSpec;
  allowed: boolean;
  /** `AccessPolicy/namespace/name#rule`; empty where none had to decide. */
  readonly rule: string;
  /** The rule with `dryRun` that would have changed the decision; empty: none. */
  readonly tried: string;
  /** By rule: where its first condition stands that does not hold; empty where it matches. */
  readonly missing: ReadonlyMap<string, string>;
  /** As a filter in front found it; null: none did. */
  readonly consumer: string | null;
}

/** Where a request was sent. */
export interface AttemptStep {
  /** `namespace/name` of the Upstream or Service. */
  readonly cluster: string;
  /** Index of the endpoint in its cluster. */
  readonly endpoint: number;
  /** The head as it went out, but for what belongs to the connection. */
  readonly head: Fields;
}

const EXPLANATION = `${OWN_PREFIX}explanation`;
const NOTHING: StateValue = { bytes: new Uint8Array(0), type: 'bytes', readOnly: false, ofConnection: false };

/** The steps of one stream, in their order. */
export class Trace implements StreamObserver {
  /** `namespace/gateway/section`; empty: no listener has the hostname. */
  listener = '';
  /** `namespace/route#section` by each decision; the last one holds. Empty: no route. */
  readonly rules: string[] = [];
  /** Filters of the chain by name, in request order. */
  chain: readonly { readonly filter: string; readonly source: string }[] = [];
  readonly steps: FilterStep[] = [];
  readonly attempts: AttemptStep[] = [];
  /** One for each filter that was made of policies. */
  readonly access: AccessTrace[] = [];
  /** The head as routing saw it at last. */
  readonly head = new HeaderBlock();
  /** The filter that answered; empty: weir itself. Null: the answer is the upstream's. */
  repliedBy: string | null = null;
  status = 0;
  /** As the access log has them: `NR`, `UH,URX`. */
  flags = '';
  /** Why the stream ended as it did: `via_upstream`, `no_route`, a filter's own words. */
  details = '';
  /** It began; a head that breaks the rules of HTTP makes no stream. */
  begun = false;
  done = false;
  readonly #atEnd: (stream: Stream) => void;
  readonly #held = new Set<FilterStep>();
  #request: Fields = [];
  #answer: Fields = [];

  constructor(atEnd: (stream: Stream) => void = () => undefined) {
    this.#atEnd = atEnd;
  }

  routed(stream: Stream): void {
    this.listener = stream.listenerSpec?.name ?? '';
    this.rules.push(stream.ruleSpec?.name ?? '');
    const chains = stream.live.snapshot.chains;
    const chain = stream.ruleSpec?.chain ?? stream.listenerSpec?.chain ?? 0;
    const before = new Set(this.chain.map(({ filter }) => filter));
    const more = chains[chain]!.map((index) => stream.live.snapshot.plugins[index]!).filter(
      ({ name }) => !before.has(name),
    );
    this.chain = [...this.chain, ...more.map(({ name, source }) => ({ filter: name, source }))];
    this.head.copyFrom(stream.request);
    this.begun = true;
    this.#request = fieldsOf(stream.request);
  }

  called(stream: Stream, context: StreamContext, direction: Direction, part: number, action: number): void {
    const { plugin } = context;
    const step = this.#step(plugin, direction);
    if (action === TRAPPED) step.decision = 'trapped';
    else if (part > 0) {
      // Body and trailers that go on take the head with them.
      if (action === BodyAction.Continue && step.decision === 'paused') step.decision = 'continued';
    } else {
      if (action !== HeadersAction.Continue && action !== HeadersAction.ContinueAndEndStream)
        step.decision = 'paused';
      this.#askAbout(stream, context, step);
    }
    this.#collect(stream, step, direction);
  }

  resumed(stream: Stream, plugin: Plugin, direction: Direction): void {
    const step = this.#step(plugin, direction);
    if (step.decision === 'paused') step.decision = 'continued';
    this.#collect(stream, step, direction);
  }

  attempted(stream: Stream): void {
    const { cluster, endpoint } = stream;
    this.attempts.push({
      cluster: cluster?.spec.name ?? '',
      endpoint: endpoint === null ? -1 : (cluster?.endpoints.indexOf(endpoint) ?? -1),
      head: fieldsOf(stream.request),
    });
  }

  answered(stream: Stream): void {
    this.#answer = fieldsOf(stream.answer);
  }

  replied(stream: Stream, plugin: Plugin | null): void {
    this.repliedBy = plugin?.spec.name ?? '';
    // What filters change of it from here on is counted from here.
    this.#answer = fieldsOf(stream.answer);
    if (plugin === null) return;
    const step = this.steps.findLast(({ filter }) => filter === plugin.spec.name);
    if (step !== undefined && step.decision !== 'trapped') step.decision = 'replied';
    for (const access of this.access) if (access.plugin === plugin.spec) access.allowed = false;
  }

  ended(stream: Stream): void {
    this.status = stream.status;
    this.flags = responseFlagsText(stream.flags);
    this.details = stream.details || (stream.attempts > 0 ? 'via_upstream' : '');
    this.done = true;
    this.#atEnd(stream);
  }

  /** Who decided on the answer: as {@link repliedBy}, but by the rule where policies refused. */
  get decidedBy(): string | null {
    return this.access.find(({ allowed }) => !allowed)?.rule ?? this.repliedBy;
  }

  /** After the request's head; of a filter that held it, and may have decided later, once more after the answer's. */
  #askAbout(stream: Stream, context: StreamContext, step: FilterStep): void {
    if (step.direction === 'request') {
      this.#ask(stream, context, step);
      if (step.decision === 'paused') this.#held.add(step);
      return;
    }
    const { name, rules } = context.plugin.spec;
    const held = rules === undefined ? [...this.#held].find(({ filter }) => filter === name) : undefined;
    if (held !== undefined) this.#ask(stream, context, held);
  }

  /** Has the filter tell why it did what it did. */
  #ask(stream: Stream, context: StreamContext, step: FilterStep): void {
    // What another has told stands there still.
    stream.setState(EXPLANATION, NOTHING);
    context.explain();
    const told = textOf(stream, 'explanation') ?? '';
    const { spec } = context.plugin;
    if (spec.rules === undefined) step.told = told;
    else this.#noteAccess(stream, spec, told);
  }

  #noteAccess(stream: Stream, plugin: PluginSpec, explanation: string): void {
    const lines = explanation.split('\n').filter((line) => line !== '');
    // What another filter of the kind has told before, on the way to a route that was left, stands there still.
    const told = (name: string): string => {
      const rule = textOf(stream, name) ?? '';
      return plugin.rules?.some((own) => own.name === rule) === true ? rule : '';
    };
    this.access.push({
      plugin,
      allowed: true,
      rule: told('access.rule'),
      tried: told('access.dry_run'),
      missing: new Map(lines.map((line) => line.split('\t') as [string, string])),
      consumer: textOf(stream, 'consumer.name'),
    });
  }

  #step(plugin: Plugin, direction: Direction): FilterStep {
    const { name: filter, source } = plugin.spec;
    const way = direction === Direction.Request ? 'request' : 'response';
    const known = this.steps.findLast((step) => step.filter === filter && step.direction === way);
    if (known !== undefined) return known;
    const step: FilterStep = { filter, source, direction: way, decision: 'continued', edits: [], told: '' };
    this.steps.push(step);
    return step;
  }

  #collect(stream: Stream, step: FilterStep, direction: Direction): void {
    if (direction === Direction.Request) {
      const after = fieldsOf(stream.request);
      step.edits.push(...editsBetween(this.#request, after));
      this.#request = after;
      return;
    }
    const after = fieldsOf(stream.answer);
    step.edits.push(...editsBetween(this.#answer, after));
    this.#answer = after;
  }
}

/** A property that a filter has set; null: none did. */
function textOf(stream: Stream, name: string): string | null {
  const value = stream.state(OWN_PREFIX + name);
  return value === undefined ? null : Buffer.from(value.bytes).toString();
}

/** The head of a message as text. */
export function fieldsOf(block: HeaderBlock): Fields {
  return Array.from({ length: block.count }, (_, i) => [block.nameText(i).toLowerCase(), block.valueText(i)]);
}

/** By name, in the order of `before` and then of `after`; values of a field that comes several times stand apart. */
export function editsBetween(before: Fields, after: Fields): Edit[] {
  const names = new Set([...before, ...after].map(([name]) => name));
  const edits: Edit[] = [];
  for (const name of names) {
    const old = valuesOf(before, name);
    const now = valuesOf(after, name);
    for (let i = 0; i < Math.max(old.length, now.length); i++) {
      const [from, to] = [old[i] ?? null, now[i] ?? null];
      if (from !== to) edits.push({ name, before: from, after: to });
    }
  }
  return edits;
}

function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([known]) => known === name).map(([, value]) => value);
}
