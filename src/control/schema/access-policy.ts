import { isIP, isIPv4 } from 'node:net';
import * as z from 'zod';
import { DEFAULT_RULE } from '../../runtime/snapshot.ts';
import { object } from './meta.ts';
import { targetRef } from './reference.ts';
import { checkRegex, expression, headerName, port, refuse, sectionName } from './scalar.ts';

/** A text with a star at one end, or a star alone. */
const glob = () =>
  z
    .string()
    .min(1)
    .max(1024)
    .regex(/^(\*|\*[^*]+|[^*]+\*?)$/, { error: 'may have a "*" at one end alone, such as team-*' });

const list = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(256).optional();

const GLOB = '`*` at one end stands for the rest, alone for anything.';

/** An address or a block, without bits behind its prefix. */
const block = () =>
  z.string().superRefine((text, ctx) => {
    const fault = blockFault(text);
    if (fault !== null) refuse(ctx, 'WEIR1044', fault);
  });

function blockFault(text: string): string | null {
  const [address, bits, ...more] = text.split('/') as [string, string?, ...string[]];
  const most = isIPv4(address) ? 32 : 128;
  const known = isIP(address) !== 0 && !address.includes('%') && more.length === 0;
  if (!known || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)))
    return `must be an address or a block such as 10.0.0.0/8, got "${text}"`;
  const value = addressBits(address);
  const free = BigInt(most - Number(bits ?? most));
  return (value >> free) << free === value
    ? null
    : `has bits behind its prefix of ${bits}: write the first address of the block`;
}

function addressBits(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // The URL parser writes the IPv4 part in hexadecimal.
  const [head, tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::') as [string, string?];
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const behind = groups(tail ?? '');
  const between = tail === undefined ? 0 : 8 - groups(head).length - behind.length;
  const all = [...groups(head), ...Array<string>(between).fill('0'), ...behind];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

const hostPattern = () =>
  z
    .string()
    .max(253)
    .refine((text) => isIP(text) !== 0 || /^(\*\.)?[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$/.test(text), {
      error: 'must be a lower-case host without port, such as *.example.com',
    });

const method = () =>
  z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'must be a method, such as GET' });

const path = () =>
  z
    .strictObject({
      type: z
        .enum(['Exact', 'PathPrefix', 'Template', 'RegularExpression'])
        .default('Exact')
        .describe(
          'PathPrefix takes whole segments. Template: `{name}` stands for one segment. RegularExpression matches the whole path.',
        ),
      value: z.string().min(1).max(1024).describe('Without the query.'),
    })
    .superRefine(({ type, value }, ctx) => {
      const fault = type === 'RegularExpression' ? checkRegex(value) : pathFault(type, value);
      if (fault !== null) refuse(ctx, 'WEIR1044', fault, ['value']);
    });

function pathFault(type: string, value: string): string | null {
  if (!value.startsWith('/') || /[?#]/.test(value)) return 'must begin with "/" and hold neither "?" nor "#"';
  const segments = value.split('/').slice(1);
  // Of what a request has in its normal form.
  if (value.includes('//')) return 'must not hold "//", which no path of a request has';
  if (segments.some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) return 'must not hold dot segments';
  if (/%(?![0-9a-f]{2})|%00/i.test(value)) return 'must not hold "%" without two hexadecimal digits, nor %00';
  if (type !== 'Template') return null;
  return segments.every((segment) => /^\{[^{}]+\}$|^[^{}]*$/.test(segment))
    ? null
    : 'may have names in braces as whole segments alone, as in /orders/{id}';
}

const claimPath = () =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)])
    .describe('Name of a claim, or names from the outermost object inwards.');

/** What a value must be, or must not be. */
const values = {
  values: list(glob()).describe(`One of these. ${GLOB}`),
  notValues: list(glob()).describe('None of these; holds too where there is no value.'),
};

function checkValues(
  given: { readonly values?: unknown; readonly notValues?: unknown },
  ctx: z.RefinementCtx,
): void {
  if ((given.values === undefined) === (given.notValues === undefined))
    refuse(ctx, 'WEIR1046', 'needs one of values and notValues');
}

const source = () =>
  z
    .strictObject({
      consumers: list(glob()).describe(
        `Consumers, by the name that a filter of the phase authn found. ${GLOB}`,
      ),
      notConsumers: list(glob()).describe('None of these; holds too where there is no consumer.'),
      identities: list(glob()).describe(
        `Names in the client's certificate: its first URI (spiffe://…) and its first DNS name. ${GLOB}`,
      ),
      notIdentities: list(glob()).describe('None of these; holds too where there is no certificate.'),
      claims: list(z.strictObject({ claim: claimPath(), ...values }).superRefine(checkValues)).describe(
        'Claims of the token that the filter jwt has verified; all of them.',
      ),
      ipBlocks: list(block()).describe('Addresses of the other end of the connection.'),
      notIpBlocks: list(block()).describe('None of these.'),
      remoteIpBlocks: list(block()).describe(
        'Addresses of the client, as the proxies tell it that `trustedHops` of a ListenerPolicy trusts.',
      ),
      notRemoteIpBlocks: list(block()).describe('None of these.'),
    })
    .superRefine(notEmpty);

const operation = () =>
  z
    .strictObject({
      hosts: list(hostPattern()).describe('Hosts without port; `*.example.com` for all below.'),
      notHosts: list(hostPattern()).describe('None of these.'),
      methods: list(method()).describe('Case counts where a rule allows; a rule that denies takes any case.'),
      notMethods: list(method()).describe('None of these.'),
      paths: list(path()).describe('Paths, in the form in which routes see them.'),
      notPaths: list(path()).describe('None of these.'),
      ports: list(port()).describe('Ports of the listener.'),
      notPorts: list(port()).describe('None of these.'),
      serverNames: list(hostPattern()).describe('SNI.'),
      notServerNames: list(hostPattern()).describe('None of these; holds too where there is no SNI.'),
    })
    .superRefine(notEmpty);

/** An empty one would hold for everything, which is written by leaving it out. */
function notEmpty(value: object, ctx: z.RefinementCtx): void {
  if (Object.values(value).every((field) => field === undefined))
    refuse(ctx, 'WEIR1046', 'must have a field; leave the list out where everything is meant');
}

const SUBJECTS = ['header', 'query', 'claim', 'expression'] as const;

const condition = () =>
  z
    .strictObject({
      header: headerName()
        .optional()
        .describe('A field of the request. All its values count, in every spelling of the name.'),
      query: z.string().min(1).max(256).optional().describe('A parameter. All its values count.'),
      claim: claimPath().optional(),
      expression: expression().optional().describe('A CEL expression over properties that must be true.'),
      ...values,
    })
    .superRefine((value, ctx) => {
      const given = SUBJECTS.filter((name) => value[name] !== undefined);
      if (given.length !== 1) refuse(ctx, 'WEIR1046', `needs exactly one of ${SUBJECTS.join(', ')}`);
      else if (given[0] !== 'expression') checkValues(value, ctx);
      else if (value.values !== undefined || value.notValues !== undefined)
        refuse(ctx, 'WEIR1046', 'an expression has no values');
    });

const rule = () =>
  z.strictObject({
    name: sectionName()
      .refine((name) => name !== DEFAULT_RULE, { error: `must not be "${DEFAULT_RULE}"` })
      .optional()
      .describe('Unique in the policy; in logs and metrics. Default: its index.'),
    from: list(source()).describe('Who: one of these. Default: everybody.'),
    to: list(operation()).describe('What: one of these. Default: everything.'),
    when: list(condition()).describe('All of these besides.'),
  });

export const accessPolicySpec = z
  .strictObject({
    targetRefs: z
      .array(targetRef(['Gateway', 'HTTPRoute', 'TCPRoute', 'TLSRoute']))
      .min(1)
      .max(64)
      .describe(
        'A Gateway, a listener, a route or a rule. For a TCPRoute or TLSRoute: what is known of a connection.',
      ),
    action: z
      .enum(['ALLOW', 'DENY', 'AUDIT'])
      .default('ALLOW')
      .describe(
        'Of what matches a rule. DENY comes before all ALLOW. AUDIT changes nothing: the match is in metrics and properties.',
      ),
    rules: z.array(rule()).max(1000).default([]).describe('One of them must match. None: nothing matches.'),
    default: z
      .enum(['Allow', 'Deny'])
      .optional()
      .describe(
        'Where no rule decides. The innermost one that is written counts; where none is: Deny if there is an ALLOW policy, else Allow.',
      ),
    enforced: z
      .boolean()
      .default(false)
      .describe(
        'true: policies of inner scopes allow nothing beyond this one, and must not change its `default`.',
      ),
    dryRun: z
      .boolean()
      .default(false)
      .describe('true: only counts what it would do, and tells it as the property access.dry_run.'),
  })
  .superRefine((spec, ctx) => {
    const { action, rules } = spec;
    checkNames(rules, ctx);
    if (action === 'ALLOW' && rules.length > 0 && spec.default === 'Allow')
      refuse(ctx, 'WEIR1046', 'Allow makes the rules of an ALLOW policy pointless', ['default']);
    if (action !== 'ALLOW' && rules.length === 0 && spec.default === undefined)
      refuse(ctx, 'WEIR1046', `${action} without rules does nothing`, ['action']);
    const target = spec.targetRefs.find(({ kind }) => kind === 'TCPRoute' || kind === 'TLSRoute');
    if (target !== undefined) checkConnections(rules, target.kind, ctx);
  });

export type AccessRuleConfig = z.output<ReturnType<typeof rule>>;

function checkNames(rules: readonly AccessRuleConfig[], ctx: z.RefinementCtx): void {
  const names = new Set<string>();
  for (const [i, each] of rules.entries()) {
    const name = each.name ?? String(i);
    if (names.has(name)) refuse(ctx, 'WEIR1046', `another rule is called "${name}"`, ['rules', i, 'name']);
    names.add(name);
  }
}

/** Fields that only a request has; in a policy for connections they would never match, or always. */
const OF_REQUESTS =
  /^(notC|c)onsumers$|^claims$|^(notH|h)osts$|^(notM|m)ethods$|^(notP|p)aths$|^header$|^query$|^claim$/;

function checkConnections(rules: readonly AccessRuleConfig[], kind: string, ctx: z.RefinementCtx): void {
  for (const [i, each] of rules.entries()) {
    for (const part of ['from', 'to', 'when'] as const) {
      for (const [k, item] of (each[part] ?? []).entries()) {
        for (const [name, value] of Object.entries(item)) {
          if (value === undefined || !OF_REQUESTS.test(name)) continue;
          refuse(ctx, 'WEIR1046', `must not be set for a ${kind}: a connection has none`, [
            'rules',
            i,
            part,
            k,
            name,
          ]);
        }
      }
    }
  }
}

export const accessPolicy = object(['policy.weir/v1alpha1'], 'AccessPolicy', accessPolicySpec).describe(
  'Who may do what: rules that allow, deny or only note.',
);
