import { isIP } from 'node:net';
import * as z from 'zod';
import { object } from './meta.ts';
import { duration, headerName, integer, moment, objectName, refuse } from './scalar.ts';

const HOUR = 3_600_000;

const NAME = '[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?';
/** `Kind/name#section` or `Kind/namespace/name#section`. Groups: kind, namespace, name, section. */
export const SECTION_REFERENCE = new RegExp(
  `^(HTTPRoute|FilterChain|AccessPolicy)/(?:(${NAME})/)?(${NAME})#(${NAME})$`,
);

/** @param kinds what the section of each is called */
const sectionOf = (kinds: Readonly<Record<string, string>>, others: readonly string[] = []) => {
  const names = Object.keys(kinds);
  const shape = new RegExp(
    `^(${[...others, `(${names.join('|')})/(?:${NAME}/)?${NAME}#${NAME}`].join('|')})$`,
  );
  const forms = [...names.map((kind) => `${kind}/name#${kinds[kind]!}`), ...others];
  return z.string().regex(shape, { error: `must be written as ${forms.join(' or ')}` });
};

const fields = (what: string) =>
  z
    .record(headerName(), z.union([z.string(), z.array(z.string()).min(1)]))
    .default({})
    .describe(what);

/** Expected fields of a head: text, or null for one that must not be there. */
const expectedFields = (what: string) =>
  z
    .record(
      z.string().regex(/^:?[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, { error: 'must be the name of a field' }),
      z.union([z.string(), z.null()]),
    )
    .optional()
    .describe(what);

const request = () =>
  z.strictObject({
    method: z
      .string()
      .regex(/^[A-Za-z!#$%&'*+.^_`|~-]+$/, { error: 'must be a method, such as GET' })
      .default('GET')
      .describe('Case counts.'),
    url: z
      .string()
      .max(16_384)
      .regex(/^https?:\/\/[^\s/?#]+/i, { error: 'must be an http or https URL with a host' })
      .describe('With scheme and host. How the path is spelled is kept, so that spellings can be tested.'),
    headers: fields('Fields of the head. A list sends the field several times.'),
    body: z.string().max(1_048_576).default('').describe('Sent with a Content-Length.'),
    as: z
      .strictObject({
        consumer: objectName().describe('A Consumer of the namespace.'),
      })
      .optional()
      .describe(
        'Adds what the Consumer shows to the filters that select it: an API key, or name and password, made for the run. `headers` of the same name win.',
      ),
    client: z
      .string()
      .refine((text) => isIP(text) !== 0, { error: 'must be an IP address' })
      .default('127.0.0.1')
      .describe('IP address of the client.'),
  });

const answerStep = () =>
  z
    .union([
      z.int().min(200).max(599),
      z.strictObject({
        status: integer(200, 599).default(200),
        headers: fields('Fields of the answer.'),
        body: z
          .union([z.string().max(1_048_576), z.array(z.string().min(1).max(1_048_576)).max(1000)])
          .default('')
          .describe('A list is sent piece by piece, as a stream without a length.'),
        delay: duration(0, HOUR).default(0).describe('Before the answer begins, in real time.'),
        reset: z.boolean().default(false).describe('Close the connection and answer nothing.'),
      }),
    ])
    .describe('A status, or an answer in full.');

const script = () =>
  z
    .array(answerStep())
    .min(1)
    .max(100)
    .describe('Answers one after the other; the last one from then on. Default: 200, always.');

const expectation = () =>
  z
    .strictObject({
      status: integer(200, 599).optional().describe('Of the answer.'),
      rule: sectionOf({ HTTPRoute: 'rule' })
        .nullable()
        .optional()
        .describe('`HTTPRoute/name#rule`; rules without name are called by their index. null: no route.'),
      decidedBy: sectionOf({ FilterChain: 'filter', AccessPolicy: 'rule' }, ['upstream', 'weir'])
        .optional()
        .describe(
          'Who made the answer: `FilterChain/name#filter`, `AccessPolicy/name#rule` (`#default` where none matched), `upstream`, or `weir` itself.',
        ),
      upstream: objectName().optional().describe('The Upstream that was asked, at last.'),
      upstreamOneOf: z.array(objectName()).min(1).optional().describe('The same where weights decide.'),
      upstreamAllOf: z
        .array(objectName())
        .min(1)
        .optional()
        .describe('Each of them was asked by one of the requests that `repeat` sends.'),
      upstreamHeaders: expectedFields('Fields as the upstream gets them, `:path` and the like too.'),
      upstreamBody: z.string().optional().describe('The body as the upstream gets it.'),
      headers: expectedFields('Fields of the answer. Several of one name are joined by ", ".'),
      body: z.string().optional().describe('The body of the answer, whole.'),
      attempts: integer(0, 100).optional().describe('How often upstreams were asked.'),
      details: z.string().optional().describe('As `response_code_details` of the access log.'),
    })
    .superRefine((expected, ctx) => {
      if (Object.keys(expected).length === 0) refuse(ctx, 'WEIR1046', 'a case must expect something');
      if (expected.upstream !== undefined && expected.upstreamOneOf !== undefined)
        refuse(ctx, 'WEIR1046', 'upstream and upstreamOneOf exclude each other', ['upstreamOneOf']);
    });

const repeat = () => integer(1, 10_000).default(1);
const after = () =>
  duration(0, 366 * 24 * HOUR)
    .default(0)
    .describe('Sets the clocks of filters and limits forward before; else they stand still.');

export const policyTestSpec = z.strictObject({
  cases: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200).describe('What is tested, as a sentence.'),
        at: moment()
          .optional()
          .describe(
            'The moment at which the clocks of filters and limits stand when the case begins, for signatures, tokens and windows of quotas. Default: that of the run.',
          ),
        before: z
          .array(z.strictObject({ request: request(), repeat: repeat(), after: after() }))
          .max(100)
          .default([])
          .describe('Requests that come first, whatever becomes of them.'),
        after: after(),
        request: request(),
        repeat: repeat().describe('Sends it this often. What is expected holds for the last one.'),
        upstream: z
          .strictObject({ script: script() })
          .optional()
          .describe('What every upstream answers that `upstreams` does not name.'),
        upstreams: z
          .record(objectName(), z.strictObject({ script: script() }))
          .default({})
          .describe('Answers by the name of the Upstream; those that filters call count too.'),
        expect: expectation(),
      }),
    )
    .min(1)
    .max(1000)
    .superRefine((cases, ctx) => {
      const seen = new Set<string>();
      for (const [i, { name }] of cases.entries()) {
        if (seen.has(name)) refuse(ctx, 'WEIR1046', `another case has the name "${name}"`, [i, 'name']);
        seen.add(name);
      }
    })
    .describe('Each begins anew: limits, counters and shared data are empty.'),
});

export const policyTest = object(['policy.weir/v1alpha1'], 'PolicyTest', policyTestSpec).describe(
  'Requests and what must become of them. `weir test` runs them; a running weir ignores them.',
);
