import type * as z from 'zod';
import type { PluginSpec } from '../runtime/snapshot.ts';
import { configurationText } from './configuration-text.ts';
import type { moduleSpec } from './schema/upstream.ts';

/** What of a plugin is written at its Module. */
export type VmFields = Pick<PluginSpec, 'vmId' | 'vmConfiguration' | 'environment' | 'instances'>;

const MAX_INSTANCES = 64;
/** Instances that stand ready where each stream uses one up. */
const WARM_INSTANCES = 4;

/** @param spec null for a filter that ships with weir */
export function vmFieldsOf(spec: z.output<typeof moduleSpec> | null): VmFields {
  if (spec === null) {
    const instances = { shared: false, min: 1, max: MAX_INSTANCES, recycleAfter: 0 };
    return { vmId: '', vmConfiguration: '', environment: [], instances };
  }
  const { isolation, min, max, recycleAfter } = spec.instances;
  const own = isolation === 'Stream';
  const ready = min ?? (own ? Math.min(WARM_INSTANCES, max ?? WARM_INSTANCES) : 1);
  return {
    vmId: spec.vm.id,
    vmConfiguration: configurationText(spec.vm.configuration),
    environment: spec.vm.env.map(({ name, value }) => ({ name, value: value ?? null })),
    instances: {
      shared: isolation === 'Shared',
      min: ready,
      max: Math.max(ready, max ?? MAX_INSTANCES),
      recycleAfter: own ? 1 : recycleAfter,
    },
  };
}
