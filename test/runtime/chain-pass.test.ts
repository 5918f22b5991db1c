// The state machine of a chain alone: any filters that hold and resume anything, any cuts of a message.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChainPass, Direction, type ChainOwner } from '../../src/runtime/chain.ts';
import { BodyAction, HeadersAction } from '../../src/runtime/wasm/abi.ts';
import type { StreamContext } from '../../src/runtime/wasm/context.ts';
import { Wants, type Plugin } from '../../src/runtime/wasm/plugin.ts';

interface Plan {
  readonly wants: { readonly body: boolean; readonly trailers: boolean };
  readonly bodyWhileHeld: boolean;
  /** Answers, used in a circle. */
  readonly head: number;
  readonly body: readonly number[];
  readonly trailers: number;
  /** Asks to go on from within its callbacks as well. */
  readonly resumesInside: boolean;
  readonly addsTrailers: boolean;
}

/** A filter that answers as planned, and notes what it is shown. */
class Filter {
  readonly plan: Plan;
  readonly plugin: Plugin;
  readonly context: StreamContext;
  heads = 0;
  trailers = 0;
  ends = 0;
  /** Bytes that were shown to it, each counted once. */
  seen = 0;
  #kept = 0;
  #turn = 0;

  constructor(plan: Plan, owner: Owner) {
    this.plan = plan;
    let wants = Wants.RequestHeaders as number;
    if (plan.wants.body) wants |= Wants.RequestBody;
    if (plan.wants.trailers) wants |= Wants.RequestTrailers;
    const spec = { bodyBufferBytes: 1 << 20, onBodyOverflow: 'reject', bodyWhileHeld: plan.bodyWhileHeld };
    this.plugin = { wants, spec } as unknown as Plugin;
    const shown = (action: number): number => {
      if (plan.resumesInside && owner.dice % 3 === 0) {
        owner.pass.resume(this.context);
        this.#kept = 0;
      }
      return action;
    };
    this.context = {
      plugin: this.plugin,
      onRequestHeaders: () => {
        this.heads++;
        owner.dice++;
        return shown(plan.head);
      },
      onRequestBody: (size: number, ended: boolean) => {
        this.seen += size - this.#kept;
        if (ended) this.ends++;
        if (plan.addsTrailers && owner.pass.mayAddTrailers(this.context)) owner.trailers = true;
        const action = plan.body[this.#turn++ % plan.body.length]!;
        this.#kept = action === BodyAction.Continue ? 0 : size;
        owner.dice++;
        return shown(action);
      },
      onRequestTrailers: () => {
        this.trailers++;
        return shown(plan.trailers);
      },
    } as unknown as StreamContext;
  }

  resume(pass: ChainPass): void {
    this.#kept = 0;
    pass.resume(this.context);
  }
}

/** What came out at the end of the chain. */
class Owner implements ChainOwner {
  readonly filters: Filter[];
  readonly pass: ChainPass;
  readonly out: Buffer[] = [];
  readonly order: string[] = [];
  trailers = false;
  dice = 0;

  constructor(plans: readonly Plan[]) {
    this.pass = new ChainPass(Direction.Request, this);
    this.filters = plans.map((plan) => new Filter(plan, this));
    const plugins = this.filters.map(({ plugin }) => plugin);
    this.pass.begin(plugins, plugins.length);
  }

  isHalted = (): boolean => false;
  filterContext = (index: number): StreamContext => this.filters[index]!.context;
  headerMap = (): null => null;
  hasTrailers = (): boolean => this.trailers;
  bodyAwaited = (): void => undefined;
  filterFailed = (): void => expect.fail('no filter fails here');
  bodyTooLarge = (): void => expect.fail('no body is too large here');
  holdBack = (): void => undefined;
  recordFilter = (_context: StreamContext, _phase: number, startedAt: number): number => startedAt;

  passHead(): void {
    this.order.push('head');
  }

  passData(_direction: Direction, bytes: Buffer, start: number, end: number, endOfStream: boolean): void {
    this.out.push(Buffer.from(bytes.subarray(start, end)));
    if (endOfStream) this.order.push('end');
    else if (this.order.at(-1) !== 'data') this.order.push('data');
  }

  passTrailers(): void {
    this.order.push('trailers');
  }
}

const { Continue, StopIteration, StopAllIterationAndBuffer, StopAllIterationAndWatermark } = HeadersAction;
const plan: fc.Arbitrary<Plan> = fc.record({
  wants: fc.record({ body: fc.boolean(), trailers: fc.boolean() }),
  bodyWhileHeld: fc.boolean(),
  head: fc.constantFrom(Continue, StopIteration, StopAllIterationAndBuffer, StopAllIterationAndWatermark),
  body: fc.array(
    fc.constantFrom(
      BodyAction.Continue,
      BodyAction.StopIterationAndBuffer,
      BodyAction.StopIterationAndWatermark,
    ),
    { minLength: 1, maxLength: 4 },
  ),
  trailers: fc.constantFrom(0, 1),
  resumesInside: fc.boolean(),
  addsTrailers: fc.boolean(),
});

const message = fc.record({
  pieces: fc.array(fc.nat(40), { maxLength: 6 }),
  trailers: fc.boolean(),
  /** After each piece: the filters that ask to go on then. */
  resumes: fc.array(fc.array(fc.nat(3), { maxLength: 4 }), { maxLength: 10 }),
});

test('all of a message comes out once, in order, when all filters have let go, and each saw its part once', () => {
  fc.assert(
    fc.property(
      fc.array(plan, { minLength: 1, maxLength: 4 }),
      message,
      (plans, { pieces, trailers, resumes }) => {
        const owner = new Owner(plans);
        const { pass, filters } = owner;
        let step = 0;
        const resumeSome = (): void => {
          for (const index of resumes[step++] ?? []) filters[index % filters.length]!.resume(pass);
        };
        const bodiless = pieces.length === 0 && !trailers;
        const sent: Buffer[] = [];
        owner.trailers = trailers;
        pass.head(bodiless);
        resumeSome();
        pieces.forEach((size, i) => {
          const piece = Buffer.alloc(size, 65 + i);
          sent.push(piece);
          pass.data(piece, 0, size, !trailers && i === pieces.length - 1);
          resumeSome();
        });
        if (trailers) pass.trailers();
        resumeSome();
        // Each round lets one thing at least go: head, body or trailers of the first filter that holds any.
        for (let round = 0; round < 3 * filters.length + 1; round++)
          for (const filter of filters) filter.resume(pass);

        expect(Buffer.concat(owner.out).toString()).toBe(Buffer.concat(sent).toString());
        const kinds = owner.order.join();
        if (bodiless) expect(kinds).toBe('head');
        else expect(kinds).toMatch(owner.trailers ? /^head(,data)?,trailers$/ : /^head(,data)?,end$/);
        const size = Buffer.concat(sent).length;
        const first = filters.findIndex(({ plan: { addsTrailers }, ends }) => addsTrailers && ends > 0);
        filters.forEach((filter, i) => {
          expect(filter.heads).toBe(1);
          if (filter.plan.wants.body && !bodiless) {
            expect(filter.seen).toBe(size);
            // The end of the bytes is told as long as no trailers are known to follow.
            if (!trailers && (first < 0 || i <= first)) expect(filter.ends).toBeGreaterThan(0);
          }
          const meetsTrailers = trailers || (owner.trailers && i > first);
          expect(filter.trailers).toBe(meetsTrailers && filter.plan.wants.trailers ? 1 : 0);
        });
      },
    ),
    { numRuns: 3000 },
  );
});
