import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everySplit, openFilter, type Exchange, type Filter } from '@weir/filters-sdk/testing';
import { ROOT } from '../support/process.ts';

const MODULE = `${ROOT}dist/filters/webhook.wasm`;
const SECRET = 'a-secret-of-the-sender';
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5) / 1000;
const BODY = '{"event": "paid"}';

type Headers = Record<string, string | string[]>;

function open(config: object, now: number = NOW): Promise<Filter> {
  return openFilter(MODULE, { config, clock: now * 1000, bodyWhileHeld: true });
}

const mac = (text: string, secret: string | Buffer = SECRET): Buffer =>
  createHmac('sha256', secret).update(text).digest();

/** What senders put into the head, by scheme. */
const SIGNERS: Readonly<Record<string, (body: string, time?: number, secret?: string) => Headers>> = {
  plain: (body, _time, secret) => ({ 'x-signature': `v=${mac(body, secret).toString('base64')}` }),
  github: (body, _time, secret) => ({ 'x-hub-signature-256': `sha256=${mac(body, secret).toString('hex')}` }),
  stripe: (body, time = NOW, secret) => ({
    'stripe-signature': `t=${time},v1=${mac(`${time}.${body}`, secret).toString('hex')},v0=${'a'.repeat(64)}`,
  }),
  slack: (body, time = NOW, secret) => ({
    'x-slack-signature': `v0=${mac(`v0:${time}:${body}`, secret).toString('hex')}`,
    'x-slack-request-timestamp': String(time),
  }),
  standard: (body, time = NOW, secret) => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(time),
    'webhook-signature': `v1a,xyz v1,${mac(`msg_1.${time}.${body}`, secret).toString('base64')}`,
  }),
};
const SCHEMES = Object.keys(SIGNERS);
const TIMED = ['stripe', 'slack', 'standard'];

const configOf = (scheme: string, more: object = {}): object => ({
  scheme,
  secrets: [SECRET],
  ...(scheme === 'plain' ? { header: 'x-signature', prefix: 'v=', encoding: 'base64' } : {}),
  ...more,
});

const send = (filter: Filter, headers: Headers, body: string | undefined = BODY): Promise<Exchange> =>
  filter.exchange({ request: { method: 'POST', path: '/hooks', headers, ...(body === '' ? {} : { body }) } });

const verdict = ({ answer, upstream }: Exchange): string =>
  upstream === null ? `${answer.status} ${answer.details}` : 'passed';

describe.each(SCHEMES)('the scheme %s', (scheme) => {
  const sign = SIGNERS[scheme]!;

  test('lets pass what is signed, whole and as it was', async () => {
    const filter = await open(configOf(scheme, { consumer: 'shop' }));
    for (const request of everySplit(BODY).slice(0, 8)) {
      const fresh = await open(configOf(scheme, { consumer: 'shop' }));
      const { upstream } = await fresh.exchange({
        request: { method: 'POST', headers: sign(BODY), body: request },
      });
      expect(upstream?.body.toString()).toBe(BODY);
      await fresh.close();
    }
    const exchange = await send(filter, sign(BODY));
    expect(verdict(exchange)).toBe('passed');
    expect(exchange.property('consumer.name')).toBe('shop');
    await filter.close();
  });

  test('refuses another body, another secret, and none', async () => {
    const filter = await open(configOf(scheme));
    expect(verdict(await send(filter, sign(BODY), `${BODY} `))).toBe('401 webhook_invalid');
    expect(verdict(await send(filter, sign(BODY), ''))).toBe('401 webhook_invalid');
    expect(verdict(await send(filter, sign(BODY, NOW, 'another-secret-of-it')))).toBe('401 webhook_invalid');
    expect(verdict(await send(filter, {}))).toBe('401 webhook_missing');
    await filter.close();
  });

  test('refuses signatures that are cut, doubled or of other letters', async () => {
    const filter = await open(configOf(scheme));
    const whole = sign(BODY);
    const [field] = Object.keys(whole).filter((name) => name.includes('signature'));
    const value = String(whole[field!]);
    for (const wrong of [value.slice(0, -2), `${value}00`, value.replace(/.$/, '!'), [value, value]]) {
      const seen = verdict(await send(filter, { ...whole, [field!]: wrong }));
      // What stripe's other versions say is nobody's concern.
      if (scheme !== 'stripe' || Array.isArray(wrong))
        expect(seen).toMatch(/^401 webhook_(missing|invalid)$/);
    }
    await filter.close();
  });

  test('takes either of two secrets, while one follows the other', async () => {
    const filter = await open(configOf(scheme, { secrets: ['a-coming-secret-of-it', SECRET] }));
    expect(verdict(await send(filter, sign(BODY)))).toBe('passed');
    expect(verdict(await send(filter, sign(`${BODY} `, NOW, 'a-coming-secret-of-it'), `${BODY} `))).toBe(
      'passed',
    );
    await filter.close();
  });

  test('a body that is too large is refused before it is whole', async () => {
    const filter = await open(configOf(scheme, { maxBytes: 10 }));
    expect(verdict(await send(filter, sign(BODY)))).toBe('413 webhook_body_too_large');
    await filter.close();
  });
});

describe.each(TIMED)('%s, which has a time', (scheme) => {
  const sign = SIGNERS[scheme]!;

  test.each([
    [-300, 'passed'],
    [300, 'passed'],
    [-301, '401 webhook_expired'],
    [301, '401 webhook_expired'],
  ])('signed %d seconds from now: %s', async (seconds, expected) => {
    const filter = await open(configOf(scheme));
    expect(verdict(await send(filter, sign(BODY, NOW + seconds)))).toBe(expected);
    await filter.close();
  });

  test('is taken once, with whatever signatures beside its own, and by another time it is another', async () => {
    const filter = await open(configOf(scheme));
    expect(verdict(await send(filter, sign(BODY)))).toBe('passed');
    expect(verdict(await send(filter, sign(BODY)))).toBe('401 webhook_replayed');
    // A sender that tries again signs anew.
    expect(verdict(await send(filter, sign(BODY, NOW - 1)))).toBe('passed');
    await filter.close();
  });

  test('a time that was not signed counts for nothing', async () => {
    const filter = await open(configOf(scheme), NOW + 1000);
    const old = sign(BODY);
    const moved: Headers = Object.fromEntries(
      Object.entries(old).map(([name, value]) => [
        name,
        String(value).replace(String(NOW), String(NOW + 1000)),
      ]),
    );
    expect(verdict(await send(filter, moved))).toBe('401 webhook_invalid');
    await filter.close();
  });
});

test('a message of Standard Webhooks has an id without dots: one could move what was signed', async () => {
  const filter = await open(configOf('standard'));
  const text = `a.${NOW}.1.${BODY}`;
  const signature = `v1,${mac(text).toString('base64')}`;
  const headers = (id: string, time: string): Headers => ({
    'webhook-id': id,
    'webhook-timestamp': time,
    'webhook-signature': signature,
  });
  expect(verdict(await send(filter, headers(`a.${NOW}`, '1')))).toBe('401 webhook_missing');
  await filter.close();
});

test.each([
  // From the documents of the senders.
  [
    'github',
    "It's a Secret to Everybody",
    0,
    { 'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
    'Hello, World!',
  ],
  [
    'slack',
    '8f742231b10e8888abcd99yyyzzz85a5',
    1531420618,
    {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  ],
  [
    'standard',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    1614265330,
    {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
    '{"test": 2432232314}',
  ],
])('the example that %s publishes', async (scheme, secret, time, headers, body) => {
  const filter = await open({ scheme, secrets: [secret] }, time);
  expect(verdict(await send(filter, headers, body))).toBe('passed');
  expect(verdict(await send(filter, headers, `${body}.`))).toBe('401 webhook_invalid');
  await filter.close();
});

test('nothing that is not signed passes, whatever is in the fields', async () => {
  const filters = new Map<string, Filter>();
  for (const scheme of SCHEMES) filters.set(scheme, await open(configOf(scheme)));
  const part = fc.constantFrom(
    'v1=',
    't=',
    ',',
    ' ',
    'v0=',
    'sha256=',
    'v1,',
    '.',
    '1',
    'a'.repeat(64),
    'AA==',
    '=',
  );
  const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SCHEMES), text, text, fc.boolean(), async (scheme, a, b, mixed) => {
      const right = SIGNERS[scheme]!(BODY);
      const names = Object.keys(right);
      const headers: Headers = { ...(mixed ? right : {}), [names.at(-1)!]: a.trim(), [names[0]!]: b.trim() };
      const same = names.every((name) => headers[name] === right[name]);
      expect(verdict(await send(filters.get(scheme)!, headers)) === 'passed').toBe(same);
    }),
    { numRuns: 300 },
  );
  for (const filter of filters.values()) await filter.close();
});
