import * as z from 'zod';
import { refuse } from './scalar.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `Module.spec.instances`. */
export const instances = () =>
  z
    .strictObject({
      isolation: z
        .enum(['Shared', 'Plugin', 'Attachment', 'Stream'])
        .default('Plugin')
        .describe(
          'Who shares an instance in a worker. Plugin: each filter of a chain has its own. Attachment: each place where the chain is attached has. Shared: filters of the namespace whose modules have the same bytes, limits and `vm` use one, each with a root context. Stream: each request has its own, from a warm pool.',
        ),
      min: z
        .int()
        .min(1)
        .max(64)
        .optional()
        .describe('Instances that stand ready in each worker. Default: 1; with Stream 4.'),
      max: z
        .int()
        .min(1)
        .max(1000)
        .optional()
        .describe(
          'Instances in a worker at most, those included that finish their streams. With Stream, requests beyond follow `onError`. Default: 64.',
        ),
      recycleAfter: z
        .int()
        .min(0)
        .max(1_000_000_000)
        .default(0)
        .describe('Requests after which an instance makes way for another. 0: never.'),
    })
    .superRefine(({ isolation, min, max, recycleAfter }, ctx) => {
      if (max !== undefined && min !== undefined && max < min)
        refuse(ctx, 'WEIR1044', `must be at least min, which is ${min}`, ['max']);
      if (isolation === 'Stream' && recycleAfter > 0)
        refuse(ctx, 'WEIR1046', 'recycleAfter has no meaning with isolation: Stream', ['recycleAfter']);
      if (isolation !== 'Stream' && recycleAfter > 0 && max === 1)
        refuse(ctx, 'WEIR1044', 'must be at least 2 with recycleAfter: the next one starts first', ['max']);
    })
    .prefault({})
    .describe('How many instances of the module there are, and who shares them.');

/** `Module.spec.vm`. */
export const vm = () =>
  z
    .strictObject({
      id: z
        .string()
        .max(253)
        .default('')
        .describe(
          'Names what is shared: shared data and queues belong to the namespace and this id, over all workers.',
        ),
      configuration: z
        .unknown()
        .optional()
        .describe('What `proxy_on_vm_start` can read: a plain string as it is, anything else as JSON text.'),
      env: z
        .array(
          z
            .strictObject({
              name: z.string().max(128).regex(VARIABLE, { error: 'must be the name of a variable' }),
              value: z.string().max(4096).optional().describe('The value.'),
              valueFrom: z
                .enum(['Host'])
                .optional()
                .describe(
                  "Host: that of weir's own environment; the variable is left out where it has none.",
                ),
            })
            .superRefine((entry, ctx) => {
              if ((entry.value === undefined) === (entry.valueFrom === undefined))
                refuse(ctx, 'WEIR1046', 'a variable needs exactly one of value and valueFrom');
            }),
        )
        .max(64)
        .default([])
        .describe('Variables that the module may read. There are no others.'),
    })
    .superRefine(({ env }, ctx) => {
      const names = new Set<string>();
      for (const [i, { name }] of env.entries()) {
        if (names.has(name))
          refuse(ctx, 'WEIR1046', `the variable "${name}" is there twice`, ['env', i, 'name']);
        names.add(name);
      }
    })
    .prefault({})
    .describe('What instances of the module begin with, and what they share.');

/** `Module.spec.schema`. */
export const moduleSchema = () =>
  z
    .strictObject({
      file: z
        .string()
        .min(1)
        .optional()
        .describe(
          'A JSON Schema (2020-12) in the place of the one that the module carries, relative to this YAML file.',
        ),
      mode: z
        .enum(['Check', 'Off'])
        .default('Check')
        .describe('Off: the module alone says what it takes, when it starts.'),
    })
    .superRefine(({ file, mode }, ctx) => {
      if (file !== undefined && mode === 'Off')
        refuse(ctx, 'WEIR1046', 'mode: Off leaves nothing for the file to do', ['file']);
    })
    .prefault({})
    .describe(
      'By which schema `config` of its filters is checked before anything is loaded. Default: the one in the custom section `weir.schema` of the module, where it has one.',
    );
