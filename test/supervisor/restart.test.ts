import { describe, expect, test } from 'vitest';
import { Backoff, CrashLoop } from '../../src/supervisor/restart.ts';

describe('Backoff', () => {
  test('starts again at once after a single exit', () => {
    const backoff = new Backoff();
    expect(backoff.exited(0)).toBe(0);
    expect(backoff.exited(61_000)).toBe(0);
  });

  test('doubles from 100 ms to 10 s while exits follow each other', () => {
    const backoff = new Backoff();
    const delays = Array.from({ length: 10 }, (_, i) => backoff.exited(i * 1000));
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  });
});

describe('CrashLoop', () => {
  test('is five exits within a minute', () => {
    const loop = new CrashLoop();
    expect([0, 10, 20, 30, 40].map((s) => loop.exited(s * 1000))).toEqual([false, false, false, false, true]);
  });

  test('is not five exits that are spread out', () => {
    const loop = new CrashLoop();
    expect([0, 20, 40, 60, 80, 100].map((s) => loop.exited(s * 1000))).toEqual(Array(6).fill(false));
  });

  test('begins anew with another snapshot', () => {
    const loop = new CrashLoop();
    for (let i = 0; i < 4; i++) loop.exited(i);
    loop.reset();
    expect(loop.exited(5)).toBe(false);
  });
});
