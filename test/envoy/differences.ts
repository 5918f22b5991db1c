import type { Difference } from './compare.ts';

/** A difference that is meant, with the line of docs/host-differences.md that gives the reason. */
export interface Allowed {
  /** Of the line: `<a id="…">`. */
  readonly id: string;
  readonly aspect: RegExp;
  /** Names of the places where it may be seen. Default: everywhere. */
  readonly places?: readonly string[];
  /** What else must hold. */
  readonly when?: (difference: Difference) => boolean;
}

export const ALLOWED: readonly Allowed[] = [
  {
    id: 'own-fields',
    aspect:
      /^(answer|upstream|callout(\.\d)?)\.field\.(server|date|x-request-id|x-forwarded-\w+|x-envoy-[\w-]+)$/,
  },
  // Bodies that a filter gathered: a length where all of it is known, chunks where it is not.
  {
    id: 'content-length',
    aspect: /\.field\.(content-length|transfer-encoding)$/,
    places: [
      'body',
      'scan',
      'text',
      'waits',
      'bodies',
      'redact-json',
      'replace-text',
      'llm-usage',
      'trailer-checksum',
      'route-metrics',
      'transform',
    ],
  },
  // RFC 9110, section 10.1.4: who sends TE says so in Connection.
  {
    id: 'connection-fields',
    aspect: /^upstream\.field\.connection$/,
    when: ({ weir, envoy }) => weir === 'TE' && envoy === undefined,
  },
  {
    id: 'statuses-without-body',
    aspect: /^answer\.field\.content-(length|type)$/,
    places: ['headers', 'reply'],
    when: ({ weir }) => weir === undefined,
  },
  {
    id: 'early-replies',
    aspect: /^answer\.field\.connection$/,
    when: ({ weir, envoy }) => weir === undefined && envoy === 'close',
  },
  {
    id: 'head-waits',
    aspect: /^upstream\./,
    places: ['scan'],
    when: ({ aspect, weir }) => (aspect === 'upstream.count' ? weir === '0' : weir === undefined),
  },
  {
    id: 'request-fields-later',
    aspect: /^answer\.field\.x-value$/,
    places: ['properties'],
    when: ({ envoy }) => envoy === 'none',
  },
  {
    id: 'request-fields-later',
    aspect: /^answer\.field\.x-holds$/,
    places: ['state'],
    when: ({ weir, envoy }) => weir === 'true' && envoy === 'false',
  },
  {
    id: 'weir-functions',
    aspect: /^upstream\.field\.x-weir-alone$/,
    places: ['counters'],
    when: ({ weir, envoy }) => weir === 'kept true,false' && envoy === 'none false,false',
  },
  {
    id: 'weir-functions',
    aspect: /^(upstream|answer)\.field\.x-metadata$/,
    places: ['state'],
    when: ({ weir, envoy }) =>
      (weir === 'true' && envoy === 'false') || (weir === 'value' && envoy === 'none'),
  },
  {
    id: 'grpc-time',
    aspect: /^answer\.field\.x-grpc-code$/,
    places: ['grpc'],
    when: ({ weir, envoy }) => weir === '4' && envoy === '14',
  },
  {
    id: 'grpc-message',
    aspect: /^answer\.field\.x-grpc-text$/,
    places: ['grpc'],
    when: ({ envoy }) => /\{\w+\}$/.test(envoy ?? ''),
  },
  {
    id: 'log-unreached',
    aspect: /^logs$/,
    places: ['refused'],
    when: ({ weir, envoy }) => weir === '["done / 403"]' && envoy === '["done / 403","done / 403"]',
  },
  {
    id: 'told-why',
    aspect: /^logs$/,
    when: ({ weir, envoy }) => without(weir, /^(proxy_\w+|sign|uncompress): /) === envoy,
  },
];

/** Log lines but for those that match. */
function without(logs: string | undefined, pattern: RegExp): string {
  const lines = JSON.parse(logs ?? '[]') as string[];
  return JSON.stringify(lines.filter((line) => !pattern.test(line)));
}

/** The line that allows it, or undefined. */
export function allowedBy(difference: Difference, place: string): Allowed | undefined {
  return ALLOWED.find(
    ({ aspect, places, when }) =>
      aspect.test(difference.aspect) &&
      (places === undefined || places.includes(place)) &&
      (when === undefined || when(difference)),
  );
}
