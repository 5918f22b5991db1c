/**
 * Filters that ask somebody else, with many requests under way in one instance: answers come in any order, and each
 * request gets its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { CallAnswer, Exchange, Filter, FilterOptions, GrpcCall } from '@weir/filters-sdk/testing';
import { decodeCheck, encodeDecision, option } from '../support/authorization-server.ts';
import { Dice } from '../support/dice.ts';
import { openBuiltIn } from '../support/filter.ts';
import { decodeQuestion, encodeVerdict } from '../support/rate-limit-server.ts';

const REQUESTS = 300;
const AT_ONCE = 25;
/** Whose requests are refused. */
const isRefused = (user: string): boolean => user.length % 3 === 0;

const dice = new Dice(1);
const users = Array.from({ length: 60 }, (_, i) => `user-${i}-${'x'.repeat(dice.below(400))}`);

async function later<T>(value: T): Promise<T> {
  await sleep(dice.below(4));
  return value;
}

/** Answers a gRPC call with the message made of what it asked, some time later. */
const byGrpc =
  (answer: (question: Uint8Array) => Buffer) =>
  (call: GrpcCall): null => {
    const message = answer(call.messages[0]!);
    setTimeout(() => {
      call.send(message);
      call.close(0);
    }, dice.below(4));
    return null;
  };

interface Subject {
  readonly name: string;
  readonly builtIn: string;
  readonly config: object;
  readonly options?: FilterOptions;
  readonly onGrpc?: (call: GrpcCall) => null;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: 'introspection',
    builtIn: 'introspection',
    config: {
      uri: 'http://id.test/introspect',
      upstream: 'service',
      client: { id: 'a', secret: 'b' },
      claimsToHeaders: [{ claim: 'sub', header: 'x-told' }],
    },
    options: {
      upstreams: {
        service: (call): Promise<CallAnswer> => {
          const sub = new URLSearchParams(call.body).get('token')!;
          return later({ body: JSON.stringify(isRefused(sub) ? { active: false } : { active: true, sub }) });
        },
      },
    },
  },
  {
    name: 'ext-authz over HTTP',
    builtIn: 'ext-authz',
    config: { http: { upstream: 'service', upstreamHeaders: ['x-told'] }, body: { maxBytes: 100 } },
    options: {
      bodyWhileHeld: true,
      upstreams: {
        service: (call): Promise<CallAnswer> => {
          const user = call.headers['authorization']!.slice('Bearer '.length);
          return later({ status: isRefused(user) ? 403 : 200, headers: { 'x-told': user } });
        },
      },
    },
  },
  {
    name: 'ext-authz over gRPC',
    builtIn: 'ext-authz',
    config: { grpc: { upstream: 'service' }, body: { maxBytes: 100 } },
    options: { bodyWhileHeld: true, upstreams: ['service'] },
    onGrpc: byGrpc((question) => {
      const user = decodeCheck(question).attributes.request.http.headers['x-user']!;
      return encodeDecision(
        isRefused(user)
          ? { status: { code: 7 } }
          : { status: { code: 0 }, ok_response: { headers: [option('x-told', user)] } },
      );
    }),
  },
  {
    name: 'rate-limit-service',
    builtIn: 'rate-limit-service',
    config: {
      upstream: 'service',
      domain: 'shop',
      descriptors: [{ entries: [{ key: 'user', attribute: 'request.headers.x-user' }] }],
    },
    options: { upstreams: ['service'] },
    onGrpc: byGrpc((question) => {
      const user = decodeQuestion(question).descriptors[0]!.entries[0]!.value;
      return encodeVerdict({
        overall_code: isRefused(user) ? 'OVER_LIMIT' : 'OK',
        request_headers_to_add: [{ key: 'x-told', value: user }],
      });
    }),
  },
];

function isAnswered(exchange: Exchange): boolean {
  try {
    return exchange.answer.status > 0;
  } catch {
    return false;
  }
}

async function ask(filter: Filter, user: string, body: string[]): Promise<void> {
  const exchange = await filter.exchange({
    request: {
      method: body.length > 0 ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${user}`, 'x-user': user },
      body,
    },
  });
  // The kit does not wait for a server that keeps a call to answer it later.
  while (!isAnswered(exchange)) {
    await sleep(1);
    await exchange.settle();
  }
  const { answer, upstream } = exchange;
  expect([answer.status < 400, answer.details]).toEqual([
    !isRefused(user),
    isRefused(user) ? expect.anything() : 'via_upstream',
  ]);
  if (upstream === null) return;
  expect(upstream.headers['x-told']).toBe(user);
  expect(upstream.body).toBe(body.join(''));
}

describe('with many requests under way each gets its own answer', () => {
  test.each(SUBJECTS)('$name', async ({ builtIn, config, options, onGrpc }) => {
    const filter = await openBuiltIn(builtIn, config, options);
    if (onGrpc !== undefined) filter.onGrpc('service', onGrpc);
    let left = REQUESTS;
    let most = 0;
    let open = 0;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        most = Math.max(most, ++open);
        const user = dice.pick(users);
        await ask(filter, user, dice.chance(0.5) ? [] : [`${user.length} `, 'of body']);
        open--;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(most).toBe(AT_ONCE);
    await filter.close();
  });
});
