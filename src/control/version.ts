import { createHash } from 'node:crypto';
import type { Snapshot } from '../runtime/snapshot.ts';

/**
 * The content hash of a snapshot: sha256, 64 hex digits, over its JSON with sorted keys.
 *
 * Positions (`source`) are left out, so that a comment or a file that was split changes nothing.
 * Modules take part by their digests.
 */
export function snapshotVersion(content: Omit<Snapshot, 'version'>): string {
  return createHash('sha256').update(canonical(content)).digest('hex');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === 'source') return undefined;
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
