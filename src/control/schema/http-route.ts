import * as z from 'zod';
import { object } from './meta.ts';
import { backendRef, parentRef } from './reference.ts';
import {
  checkRegex,
  duration,
  group,
  headerName,
  headerValue,
  hostname,
  integer,
  kind,
  notYet,
  objectName,
  oneOf,
  port,
  preciseHostname,
  refuse,
  sectionName,
} from './scalar.ts';

const VERSIONS = ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'] as const;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

const PATH_CHARACTERS = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;

/** The rules of the Gateway API for Exact and PathPrefix, or null where they hold. */
function checkPath(value: string): string | null {
  if (!value.startsWith('/')) return 'must start with "/"';
  for (const part of ['//', '/./', '/../', '#']) {
    if (value.includes(part)) return `must not contain "${part}": it could never match a normalised path`;
  }
  if (/%2f/i.test(value)) return 'must not contain "%2F"';
  if (/\/\.{1,2}$/.test(value)) return 'must not end with "/." or "/.."';
  if (!PATH_CHARACTERS.test(value))
    return 'must hold characters of a URL path only; percent-encode the others';
  return null;
}

const pathMatch = () =>
  z
    .strictObject({
      type: z
        .enum(['Exact', 'PathPrefix', 'RegularExpression'])
        .default('PathPrefix')
        .describe('PathPrefix matches whole path elements. RegularExpression must match the whole path.'),
      value: z.string().max(1024).default('/').describe('Compared with the normalised path, without query.'),
    })
    .superRefine((path, ctx) => {
      const fault = path.type === 'RegularExpression' ? checkRegex(path.value) : checkPath(path.value);
      if (fault !== null) refuse(ctx, 'WEIR1044', `${fault}, got "${path.value}"`, ['value']);
    });

const valueMatch = (value: z.ZodString | ReturnType<typeof headerValue>) =>
  z
    .strictObject({
      type: z
        .enum(['Exact', 'RegularExpression'])
        .default('Exact')
        .describe('RegularExpression must match the whole value.'),
      name: headerName(),
      value,
    })
    .superRefine((match, ctx) => {
      const fault = match.type === 'RegularExpression' ? checkRegex(match.value) : null;
      if (fault !== null) refuse(ctx, 'WEIR1044', `${fault}, got "${match.value}"`, ['value']);
    });

const routeMatch = () =>
  z.strictObject({
    path: pathMatch().prefault({}).describe('Default: every path.'),
    headers: z
      .array(valueMatch(headerValue()))
      .max(16)
      .default([])
      .describe('All must hold; names in any case.'),
    queryParams: z
      .array(valueMatch(z.string().min(1).max(1024)))
      .max(16)
      .default([])
      .describe('All must hold; names case-sensitive.'),
    method: z.enum(METHODS).optional().describe('Default: every method.'),
  });

const field = () => z.strictObject({ name: headerName(), value: headerValue() });

const headerModifier = () =>
  z.strictObject({
    set: z.array(field()).max(16).default([]).describe('Overwrites.'),
    add: z.array(field()).max(16).default([]).describe('Appends.'),
    remove: z.array(headerName()).max(16).default([]).describe('Removes.'),
  });

const pathModifier = () =>
  z
    .strictObject({
      type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
      replaceFullPath: z.string().max(1024).optional().describe('The new path; the query stays.'),
      replacePrefixMatch: z
        .string()
        .max(1024)
        .optional()
        .describe('Takes the place of the prefix that matched.'),
    })
    .superRefine((path, ctx) => {
      const wanted = path.type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch';
      const other = path.type === 'ReplaceFullPath' ? 'replacePrefixMatch' : 'replaceFullPath';
      if (path[wanted] === undefined) refuse(ctx, 'WEIR1041', `type ${path.type} needs ${wanted}`);
      if (path[other] !== undefined)
        refuse(ctx, 'WEIR1046', `must not be set with type ${path.type}`, [other]);
      const value = path[wanted] ?? '';
      if (/[^\x21-\x7e]|[?#]/.test(value) || (value !== '' && !value.startsWith('/'))) {
        refuse(ctx, 'WEIR1044', `must be a path that starts with "/", without query, got "${value}"`, [
          wanted,
        ]);
      }
    });

const requestRedirect = () =>
  z.strictObject({
    scheme: z.enum(['http', 'https']).optional(),
    hostname: preciseHostname().optional(),
    path: pathModifier().optional(),
    port: port()
      .optional()
      .describe('Default: that of the scheme if a scheme is given, else that of the listener.'),
    statusCode: z.literal([301, 302, 303, 307, 308]).default(302),
  });

const urlRewrite = () =>
  z.strictObject({
    hostname: preciseHostname().optional().describe('Sent to the upstream as host.'),
    path: pathModifier().optional(),
  });

const extensionRef = () =>
  z.strictObject({
    group: group().describe('policy.weir'),
    kind: kind().describe('FilterChain'),
    name: objectName(),
  });

const FILTERS = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
  'RequestRedirect',
  'URLRewrite',
  'ExtensionRef',
  'CORS',
  'ExternalAuth',
] as const;

/** The member that carries the settings of each type of filter. */
const FILTER_MEMBER = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  ExtensionRef: 'extensionRef',
} as const;

type BuiltFilter = keyof typeof FILTER_MEMBER;

function routeFilter<const Now extends BuiltFilter>(supported: readonly Now[]) {
  return z
    .strictObject({
      type: oneOf(FILTERS, supported),
      requestHeaderModifier: headerModifier().optional(),
      responseHeaderModifier: headerModifier().optional(),
      requestRedirect: requestRedirect().optional(),
      urlRewrite: urlRewrite().optional(),
      extensionRef: extensionRef().optional().describe('A FilterChain in the namespace of the route.'),
      requestMirror: notYet('Sends a copy of the request elsewhere.'),
      cors: notYet('Cross-origin rules.', 'use the filter "cors" in a FilterChain'),
      externalAuth: notYet('Asks an external service.'),
    })
    .superRefine((filter, ctx) => {
      for (const [type, member] of Object.entries(FILTER_MEMBER)) {
        const present = filter[member] !== undefined;
        if (type === filter.type && !present) refuse(ctx, 'WEIR1041', `type ${type} needs ${member}`);
        if (type !== filter.type && present) {
          refuse(ctx, 'WEIR1046', `must not be set with type ${filter.type}`, [member]);
        }
      }
    });
}

const ROUTE_FILTERS = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'ExtensionRef',
] as const;
const BACKEND_FILTERS = ['RequestHeaderModifier', 'ResponseHeaderModifier'] as const;

const filteredBackendRef = () =>
  backendRef().extend({ filters: z.array(routeFilter(BACKEND_FILTERS)).max(16).default([]) });

const timeouts = () =>
  z
    .strictObject({
      request: duration().optional().describe('Whole request, all attempts included. 0s: no limit.'),
      backendRequest: duration().optional().describe('One attempt. 0s: no limit.'),
    })
    .superRefine((value, ctx) => {
      const { request, backendRequest } = value;
      if (request === undefined || backendRequest === undefined || request === 0) return;
      if (backendRequest > request) {
        refuse(ctx, 'WEIR1046', 'backendRequest must not be longer than request', ['backendRequest']);
      }
    });

const routeRetry = () =>
  z.strictObject({
    codes: z.array(integer(400, 599)).default([]).describe('Statuses to retry on, beside connection errors.'),
    attempts: integer(1, 10).default(1).describe('Further attempts after the first.'),
    backoff: duration(1, 60_000).optional().describe('Least wait before a further attempt.'),
  });

const rule = () =>
  z
    .strictObject({
      name: sectionName()
        .optional()
        .describe('sectionName of policies, and the name in logs. Default: the index.'),
      matches: z
        .array(routeMatch())
        .max(64)
        .default([])
        .describe('Any of them; every request where left out.'),
      filters: z.array(routeFilter(ROUTE_FILTERS)).max(16).default([]),
      backendRefs: z
        .array(filteredBackendRef())
        .max(16)
        .default([])
        .describe('Without one, and without a redirect, the answer is 500.'),
      timeouts: timeouts().optional(),
      retry: routeRetry().optional(),
      sessionPersistence: notYet('Keeps a client on one endpoint.'),
    })
    .superRefine(checkRule);

interface RuleShape {
  readonly matches: readonly { readonly path: { readonly type: string } }[];
  readonly filters: readonly {
    readonly type: BuiltFilter;
    readonly requestRedirect?: { path?: { type: string } | undefined } | undefined;
    readonly urlRewrite?: { path?: { type: string } | undefined } | undefined;
  }[];
  readonly backendRefs: readonly unknown[];
}

function checkRule(value: RuleShape, ctx: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [i, filter] of value.filters.entries()) {
    if (filter.type !== 'ExtensionRef' && seen.has(filter.type)) {
      refuse(ctx, 'WEIR1046', `filter ${filter.type} is used twice in this rule`, ['filters', i, 'type']);
    }
    seen.add(filter.type);
    const modifier = filter.requestRedirect?.path ?? filter.urlRewrite?.path;
    const onePrefix = value.matches.length === 1 && value.matches[0]!.path.type === 'PathPrefix';
    if (modifier?.type === 'ReplacePrefixMatch' && !onePrefix && value.matches.length > 0) {
      refuse(ctx, 'WEIR1046', 'ReplacePrefixMatch needs exactly one match in the rule, of type PathPrefix', [
        'filters',
        i,
      ]);
    }
  }
  if (seen.has('RequestRedirect') && seen.has('URLRewrite')) {
    refuse(ctx, 'WEIR1046', 'RequestRedirect and URLRewrite must not be in one rule', ['filters']);
  }
  if (seen.has('RequestRedirect') && value.backendRefs.length > 0) {
    refuse(ctx, 'WEIR1046', 'a rule with a RequestRedirect must have no backendRefs', ['backendRefs']);
  }
}

export const httpRouteSpec = z
  .strictObject({
    parentRefs: z.array(parentRef()).min(1).max(32).describe('The Gateways or listeners to attach to.'),
    hostnames: z
      .array(hostname())
      .max(16)
      .default([])
      .describe('Only requests to these hosts. Default: those of the listener.'),
    rules: z
      .array(rule())
      .min(1)
      .max(16)
      .default(() => [rule().parse({})]),
    useDefaultGateways: notYet('Attaches to default Gateways.'),
  })
  .superRefine((spec, ctx) => {
    const names = new Set<string>();
    for (const [i, item] of spec.rules.entries()) {
      if (item.name === undefined) continue;
      if (names.has(item.name))
        refuse(ctx, 'WEIR1046', `rule name "${item.name}" is used twice in this route`, ['rules', i, 'name']);
      names.add(item.name);
    }
  });

export const httpRoute = object(VERSIONS, 'HTTPRoute', httpRouteSpec).describe(
  'Which requests go where, and what is changed on the way.',
);

export type HttpRouteSpec = z.output<typeof httpRouteSpec>;
export type RuleConfig = HttpRouteSpec['rules'][number];
export type MatchConfig = RuleConfig['matches'][number];
export type RouteFilterConfig = RuleConfig['filters'][number];
export type HeaderModifierConfig = z.output<ReturnType<typeof headerModifier>>;
export type PathModifierConfig = z.output<ReturnType<typeof pathModifier>>;
