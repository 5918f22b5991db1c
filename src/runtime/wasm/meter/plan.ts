import type { Plan } from './scan.ts';

/** A part whose folding adds no more than this to its parent is charged with it. */
const FOLD_UNITS = 32;

/** Decides what each point charges, now that all bodies are known. */
export function settle(plan: Plan, plans: readonly (Plan | null)[]): void {
  const { costs, parents, calls } = plan;
  plan.deep = plan.callsIndirectly;
  for (let i = 0; i < calls.length; i += 2) {
    const callee = plans[calls[i + 1]!] ?? null;
    if (callee === null) continue;
    if (!callee.free) plan.deep = true;
    else if (calls[i]! >= 0) costs[calls[i]!]! += callee.units;
  }
  const own = costs.slice();
  for (let i = costs.length - 1; i > 0; i--) {
    const parent = parents[i]!;
    if (parent < 0) continue;
    const folded = costs[parent]! - own[parent]!;
    if (folded + costs[i]! > Math.max(own[parent]!, FOLD_UNITS)) continue;
    costs[parent]! += costs[i]!;
    costs[i] = 0;
  }
}
