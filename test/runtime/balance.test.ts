import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  pickLeastRequest,
  pickRoundRobin,
  Random,
  schedule,
  WeightedChoice,
} from '../../src/runtime/balance.ts';

interface Fake {
  readonly weight: number;
  active: number;
}

const fakes = (...weights: number[]): Fake[] => weights.map((weight) => ({ weight, active: 0 }));

function countOf(values: Iterable<number>, size: number): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const value of values) counts[value]!++;
  return counts;
}

describe('Random', () => {
  test('the same seed gives the same sequence, and zero is not a dead end', () => {
    const sequence = (seed: number): number[] => {
      const random = new Random(seed);
      return [random.next(), random.next(), random.below(10)];
    };
    expect(sequence(7)).toEqual(sequence(7));
    expect(new Set(sequence(0)).size).toBeGreaterThan(1);
  });

  test('is uniform enough: each of ten values within 5 % of its share', () => {
    const random = new Random(1);
    const counts = countOf(
      Array.from({ length: 100_000 }, () => random.below(10)),
      10,
    );
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

describe('schedule', () => {
  test.each([
    [
      [1, 1, 1],
      [0, 1, 2],
    ],
    [
      [2, 2],
      [0, 1],
    ],
    [
      [3, 1],
      [0, 0, 1, 0],
    ],
    [
      [5, 1, 1],
      [0, 0, 1, 0, 2, 0, 0],
    ],
    [[0, 1], [1]],
    [[0, 0], []],
    [[], []],
  ])('weights %j walk the ring %j', (weights, expected) => {
    const ring = [...schedule(weights)];
    expect(countOf(ring, weights.length)).toEqual(countOf(expected, weights.length));
    expect(ring).toHaveLength(expected.length);
  });

  test('an item is never far from its share in any run of the ring', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(weights, (given) => {
        const ring = schedule(given);
        const sum = given.reduce((a, b) => a + b, 0);
        for (const [item, weight] of given.entries()) {
          let seen = 0;
          for (const [i, at] of ring.entries()) {
            if (at === item) seen++;
            expect(Math.abs(seen - ((i + 1) * weight) / sum)).toBeLessThanOrEqual(given.length);
          }
          if (sum > 0) expect(seen / ring.length).toBeCloseTo(weight / sum, 10);
        }
      }),
    );
  });

  test('is bounded, and keeps every item with weight', () => {
    const ring = schedule([999_983, 1, 7919]);
    expect(ring.length).toBeLessThan(5000);
    expect(new Set(ring)).toEqual(new Set([0, 1, 2]));
  });
});

describe('pickRoundRobin', () => {
  test('visits all in turn', () => {
    const endpoints = fakes(1, 1, 1);
    const ring = schedule([1, 1, 1]);
    let cursor = 2;
    const picks = Array.from({ length: 6 }, () => {
      cursor = pickRoundRobin(endpoints, ring, cursor, null);
      return ring[cursor];
    });
    expect(picks).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test('passes over the endpoint to avoid, unless it is the only one', () => {
    const endpoints = fakes(5, 1);
    const ring = schedule([5, 1]);
    for (let cursor = 0; cursor < ring.length; cursor++) {
      expect(ring[pickRoundRobin(endpoints, ring, cursor, endpoints[0]!)]).toBe(1);
    }
    const only = fakes(1);
    expect(pickRoundRobin(only, schedule([1]), 0, only[0]!)).toBe(0);
  });

  test('an empty ring gives none', () => {
    expect(pickRoundRobin([], schedule([]), 0, null)).toBe(-1);
    expect(pickRoundRobin(fakes(0), schedule([0]), 0, null)).toBe(-1);
  });
});

describe('pickLeastRequest', () => {
  test('of two endpoints the one with fewer requests for its weight wins', () => {
    const endpoints = fakes(1, 1);
    endpoints[0]!.active = 3;
    endpoints[1]!.active = 2;
    const ring = schedule([1, 1]);
    const random = new Random(5);
    for (let i = 0; i < 100; i++) expect(pickLeastRequest(endpoints, ring, random, null)).toBe(1);

    const weighted = fakes(4, 1);
    weighted[0]!.active = 3;
    weighted[1]!.active = 1;
    for (let i = 0; i < 100; i++) expect(pickLeastRequest(weighted, schedule([4, 1]), random, null)).toBe(0);
  });

  test('an idle cluster is used in proportion to the weights', () => {
    const endpoints = fakes(3, 1);
    const ring = schedule([3, 1]);
    const random = new Random(9);
    const counts = countOf(
      Array.from({ length: 10_000 }, () => pickLeastRequest(endpoints, ring, random, null)),
      2,
    );
    expect(counts[0]).toBeGreaterThan(7200);
    expect(counts[0]).toBeLessThan(7800);
  });

  test('keeps the load even', () => {
    const endpoints = fakes(1, 1, 1, 1, 1, 1, 1, 1);
    const ring = schedule(endpoints.map(({ weight }) => weight));
    const random = new Random(3);
    for (let i = 0; i < 8000; i++) endpoints[pickLeastRequest(endpoints, ring, random, null)]!.active++;
    // Thrown at random, the spread would be about ±90.
    for (const { active } of endpoints) expect(Math.abs(active - 1000)).toBeLessThan(10);
  });

  test('never takes the endpoint to avoid or one without weight while there is another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 6 }),
        fc.nat(5),
        fc.integer(),
        (weights, avoided, seed) => {
          const endpoints = fakes(...weights);
          const avoid = endpoints[avoided] ?? null;
          const usable = endpoints.filter((endpoint) => endpoint.weight > 0);
          const index = pickLeastRequest(endpoints, schedule(weights), new Random(seed), avoid);
          if (usable.length === 0) {
            expect(index).toBe(-1);
            return;
          }
          expect(usable).toContain(endpoints[index]);
          if (usable.some((endpoint) => endpoint !== avoid)) expect(endpoints[index]).not.toBe(avoid);
        },
      ),
    );
  });
});

describe('WeightedChoice', () => {
  test('comes out near the weights within a thousand requests', () => {
    const choice = new WeightedChoice([90, 10, 0]);
    const random = new Random(11);
    const counts = countOf(
      Array.from({ length: 1000 }, () => choice.pick(random)),
      3,
    );
    expect(counts[0]).toBeGreaterThan(860);
    expect(counts[1]).toBeGreaterThan(60);
    expect(counts[2]).toBe(0);
  });

  test('one item with weight is always chosen; none where all are 0', () => {
    const random = new Random(1);
    expect(new WeightedChoice([0, 5]).pick(random)).toBe(1);
    expect(new WeightedChoice([0, 0]).pick(random)).toBe(-1);
    expect(new WeightedChoice([]).pick(random)).toBe(-1);
  });
});
