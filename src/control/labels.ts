import type { UsableObject } from './config.ts';

/** Whether an object has all labels of a selector; an empty one selects every object. */
export function hasLabels(
  object: UsableObject<'Consumer' | 'Plan'>,
  selector: Readonly<Record<string, unknown>>,
): boolean {
  const { labels } = object.value.metadata;
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
