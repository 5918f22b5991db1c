import { afterAll, describe, expect, test } from 'vitest';
import type { Exchange, Filter } from '@weir/filters-sdk/testing';
import { openBuiltIn, refusalOf } from '../../support/filter.ts';

const opened = new Map<string, Promise<Filter>>();

/** One for each configuration: it keeps nothing of a request. */
function open(config: object = {}): Promise<Filter> {
  const key = JSON.stringify(config);
  let filter = opened.get(key);
  if (filter === undefined) opened.set(key, (filter = openBuiltIn('waf', config, { bodyWhileHeld: true })));
  return filter;
}

afterAll(() => Promise.all([...opened.values()].map(async (filter) => (await filter).close())));
const USUAL: [string, string][] = [
  ['user-agent', 'Mozilla/5.0'],
  ['accept', '*/*'],
];

function get(
  filter: Filter,
  path: string,
  headers: [string, string][] = [],
  method = 'GET',
): Promise<Exchange> {
  return filter.exchange({
    request: { method, path, authority: 'shop.test', headers: [...USUAL, ...headers] },
  });
}

function post(filter: Filter, type: string, body: string | string[], path = '/'): Promise<Exchange> {
  const headers: [string, string][] = [...USUAL, ['content-type', type]];
  return filter.exchange({ request: { method: 'POST', path, authority: 'shop.test', headers, body } });
}

const UNION = encodeURIComponent("1' union select password from users");
const verdict = ({ answer, upstream }: Exchange): string => (upstream === null ? answer.details : 'passes');
const rulesOf = (exchange: Exchange): string[] =>
  (exchange.property('waf.rules') ?? '').split(',').filter(Boolean);

test('an attack is 403 and does not reach the upstream; the client does not learn by which rule', async () => {
  const exchange = await get(await open(), `/?q=${UNION}`);
  expect([exchange.answer.status, exchange.answer.details]).toEqual([403, 'waf_denied']);
  expect(exchange.upstream).toBeNull();
  expect(exchange.answer.body).not.toContain('sql');
});

test('the log says which rules and where, and none of the values', async () => {
  const exchange = await get(await open(), `/?q=${UNION}&"evil\n=1`, [
    ['cookie', "sid=topsecret' or '1'='1"],
  ]);
  const lines = exchange.logs.map(({ message }) => message);
  expect(lines).toHaveLength(1);
  const told = JSON.parse(lines[0]!) as { waf: string; score: number; rules: string[] };
  expect(told.waf).toBe('denied');
  expect(told.rules).toContain('sql/union@args.q');
  expect(told.rules).toContain('sql/tautology@cookies.sid');
  expect(told.score).toBe(Number(exchange.property('waf.score')));
  expect(lines[0]).not.toMatch(/topsecret|password|users/);
});

test('with Detect the same is told, and passes', async () => {
  const exchange = await get(await open({ mode: 'Detect' }), `/?q=${UNION}`);
  expect(verdict(exchange)).toBe('passes');
  expect(rulesOf(exchange)).toContain('sql/union');
  expect(exchange.logs[0]!.message).toContain('"detected"');
});

test('scores add up to the threshold; what stays below is noted', async () => {
  const address = (filter: Filter, path: string): Promise<Exchange> =>
    filter.exchange({ request: { path, authority: '10.0.0.1:8080', headers: USUAL } });
  const filter = await open();
  const one = await address(filter, '/');
  expect([verdict(one), one.property('waf.score'), rulesOf(one)]).toEqual([
    'passes',
    '3',
    ['protocol/address-as-host'],
  ]);
  const two = await address(filter, '/?a=50%');
  expect([verdict(two), two.property('waf.score')]).toEqual(['waf_denied', '6']);
  expect(verdict(await address(await open({ threshold: 7 }), '/?a=50%'))).toBe('passes');
});

test('a rule counts once, however often it is found', async () => {
  const exchange = await get(await open({ threshold: 1000 }), `/?a=${UNION}&b=${UNION}&c=${UNION}`);
  const once = await get(await open({ threshold: 1000 }), `/?a=${UNION}`);
  expect(exchange.property('waf.score')).toBe(once.property('waf.score'));
});

test('nothing of one request is left for the next', async () => {
  const filter = await open();
  expect(verdict(await get(filter, `/?q=${UNION}`))).toBe('waf_denied');
  const clean = await get(filter, '/?q=shoes');
  expect([verdict(clean), clean.property('waf.score')]).toEqual(['passes', undefined]);
});

describe('what is excluded', () => {
  const cases: [what: string, exclude: object, path: string, passes: boolean][] = [
    ['a rule', { rules: ['xss/script-tag'] }, '/?q=<script>', true],
    ['a class', { rules: ['xss/*'] }, '/?q=<script>', true],
    ['another rule', { rules: ['sql/*'] }, '/?q=<script>', false],
    ['an argument', { targets: ['args.q'] }, '/?q=<script>', true],
    ['an argument, in any case', { targets: ['args.Q'] }, '/?q=<script>', true],
    ['another argument', { targets: ['args.p'] }, '/?q=<script>', false],
    ['all arguments', { targets: ['args'] }, '/?q=<script>', true],
    ['a path', { rules: ['xss/*'], paths: ['/cms'] }, '/cms/edit?q=<script>', true],
    ['a path that begins so', { rules: ['xss/*'], paths: ['/cms'] }, '/cms2?q=<script>', false],
    [
      'both at once only',
      { rules: ['xss/*'], targets: ['args.q'], paths: ['/cms'] },
      '/cms?p=<script>',
      false,
    ],
  ];
  test.each(cases)('%s', async (_what, exclude, path, passes) => {
    const exchange = await get(await open({ exclude: [exclude] }), path);
    expect(verdict(exchange)).toBe(passes ? 'passes' : 'waf_denied');
  });
});

describe('rules of one’s own', () => {
  test('are found where they look', async () => {
    const rules = [
      { name: 'own/coupon', pattern: '^free-[0-9]{4}$', severity: 'warning', targets: ['args'] },
    ];
    const filter = await open({ rules, threshold: 3 });
    expect(rulesOf(await get(filter, '/?c=FREE-2024'))).toEqual(['own/coupon']);
    expect(verdict(await get(filter, '/?c=FREE-2024'))).toBe('waf_denied');
    for (const path of ['/?c=free-202', '/?c=xfree-2024', '/?c=free-20245', '/free-2024'])
      expect(verdict(await get(filter, path)), path).toBe('passes');
  });

  test.each<[string, object, string]>([
    ['a pattern that is none', { name: 'own/a', pattern: '(a' }, 'a ( without a )'],
    ['a class without an end', { name: 'own/a', pattern: '[a' }, 'a [ without a ]'],
    ['a repetition of nothing', { name: 'own/a', pattern: '+a' }, 'nothing to repeat'],
    ['a look ahead', { name: 'own/a', pattern: '(?=a)' }, 'only group with a question mark'],
    ['an unknown escape', { name: 'own/a', pattern: '\\bword' }, 'an escape that is not known'],
    ['a repetition without bounds to speak of', { name: 'own/a', pattern: 'a{1,9999}' }, 'numbers up to 200'],
    [
      'one that is larger than all others together may be',
      { name: 'own/a', pattern: '((a{200}){200}){200}' },
      'too large',
    ],
    ['a name of weir’s', { name: 'sql/union', pattern: 'a' }, 'must begin with own/'],
  ])('%s is refused', async (_what, rule, said) => {
    expect((await refusalOf('waf', { rules: [rule] })).join('\n')).toContain(said);
  });

  test('two rules of one name are refused', async () => {
    const rule = { name: 'own/a', pattern: 'a' };
    expect(await refusalOf('waf', { rules: [rule, rule] })).toEqual([
      expect.stringMatching(/rules\[1\]\.name: another rule has this name$/),
    ]);
  });

  test.each([
    ['sql/unoin', 'no rule of this name, did you mean "sql/union"?'],
    ['sqli/*', 'no rule of this name, did you mean "sql/*"?'],
    ['quux/corge', 'no rule of this name, such as sql/union or sql/*'],
  ])('an exclusion of %s, which there is not, is refused with the nearest', async (name, said) => {
    const [line] = await refusalOf('waf', { exclude: [{ rules: [name] }] });
    expect(line).toMatch(/exclude\[0\]\.rules\[0\]: /);
    expect(line!.endsWith(said)).toBe(true);
  });
});

describe('the automaton', () => {
  /** Plain patterns and texts; the same by JavaScript, which reads them by backtracking. */
  function random(seed: number): () => number {
    let state = seed;
    return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  }
  const next = random(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
  function pattern(depth: number): string {
    const kind = depth > 2 ? 0 : next();
    if (kind < 0.4) return pick(['a', 'b', 'c', '[ab]', '[^a]', '\\d', '\\w', '1', '-', '.']);
    if (kind < 0.6) return pattern(depth + 1) + pattern(depth + 1);
    if (kind < 0.8) return `(${pattern(depth + 1)}|${pattern(depth + 1)})`;
    return `(${pattern(depth + 1)})${pick(['*', '+', '?', '{2}', '{1,3}', '{2,}'])}`;
  }

  test('finds what JavaScript finds, for patterns by chance', async () => {
    for (let round = 0; round < 3; round++) {
      const patterns = Array.from(
        { length: 15 },
        () => `${pick(['', '^', 'ab'])}${pattern(0)}${pick(['', '$', 'c'])}`,
      );
      const rules = patterns.map((text, i) => ({
        name: `own/${i}`,
        pattern: text,
        targets: ['referer'],
        severity: 'notice',
      }));
      const filter = await open({ rules, threshold: 1000, exclude: [{ rules: ['protocol/*'] }] });
      for (let i = 0; i < 25; i++) {
        const text = Array.from({ length: 1 + Math.floor(next() * 12) }, () =>
          pick(['a', 'b', 'c', '1', '-']),
        ).join('');
        const found = rulesOf(await get(filter, '/', [['referer', text]]));
        // The end of a value counts as a byte that a class without a letter has.
        const expected = patterns.flatMap((source, n) =>
          new RegExp(
            source
              .replace(/^\^/, '\0')
              .replace(/\$$/, '\0')
              .replace(/(?<!\\)\./g, '[^\0]'),
          ).test(`\0${text}\0`)
            ? [`own/${n}`]
            : [],
        );
        expect(
          found.filter((name) => name.startsWith('own/')),
          `${patterns.join(' ')} in ${text}`,
        ).toEqual(expect.arrayContaining(expected));
        expect(found.filter((name) => name.startsWith('own/'))).toHaveLength(expected.length);
      }
    }
  }, 60_000);

  test('goes on rightly when it has made more states than it keeps', async () => {
    const rules = [{ name: 'own/far', pattern: 'a[ab]{13}-x', targets: ['body'] }];
    const filter = await open({ rules, body: {} });
    const noiseOf = (): string => Array.from({ length: 1000 }, () => pick(['a', 'b'])).join('');
    for (let i = 0; i < 8; i++) expect(rulesOf(await post(filter, 'text/plain', noiseOf()))).toEqual([]);
    const noise = noiseOf();
    expect(rulesOf(await post(filter, 'text/plain', `${noise}a${'b'.repeat(13)}-x`))).toEqual(['own/far']);
    expect(rulesOf(await post(filter, 'text/plain', `${noise}b${'b'.repeat(13)}-x`))).toEqual([]);
  }, 60_000);

  test('costs as much more as a value is longer, whatever is in it', async () => {
    const filter = await open({ body: {}, threshold: 1000 });
    const fuel = async (body: string): Promise<number> => {
      const { callbacks } = await post(filter, 'text/plain', body);
      return callbacks.reduce((sum, callback) => sum + callback.fuel, 0);
    };
    for (const unit of [
      "' or (",
      '<a on',
      '../',
      'select ( from ',
      '{{{{',
      '&#x3c;',
      '%25',
      '/*/*!',
      '\r\n',
    ]) {
      await fuel(unit.repeat(500));
      const short = await fuel(unit.repeat(1000));
      const long = await fuel(unit.repeat(8000));
      expect(long / short, unit).toBeLessThan(10);
    }
  }, 60_000);
});

describe('bodies', () => {
  test('are not waited for where nothing says so', async () => {
    const filter = await open();
    expect(verdict(await post(filter, 'text/plain', "1' union select a from b"))).toBe('passes');
  });

  test('are looked at whole, in whatever pieces they come, and go on unchanged', async () => {
    const filter = await open({ body: {} });
    const attack = ['q=1%27 un', 'ion sel', 'ect password fr', 'om users'];
    expect(verdict(await post(filter, 'application/x-www-form-urlencoded', attack))).toBe('waf_denied');
    const clean = await post(filter, 'application/x-www-form-urlencoded', ['q=sho', 'es']);
    expect([verdict(clean), clean.upstream?.body]).toEqual(['passes', 'q=shoes']);
  });

  test.each<[oversize: string, verdict: string]>([
    ['Deny', 'waf_body_too_large'],
    ['Pass', 'passes'],
  ])('that are too large: %s', async (oversize, expected) => {
    const filter = await open({ body: { maxBytes: 100, oversize } });
    expect(verdict(await post(filter, 'text/plain', 'x'.repeat(100)))).toBe('passes');
    expect(verdict(await post(filter, 'text/plain', 'x'.repeat(101)))).toBe(expected);
  });

  const unread: [what: string, type: string, body: string][] = [
    ['of an unknown type', 'application/x-thing', 'a'],
    ['in another character set', 'text/plain; charset="utf-16"', 'a'],
    ['JSON that breaks off', 'application/json', '{"a": 1'],
    ['JSON with something behind it', 'application/json', '{} x'],
    ['JSON in single quotes', 'application/json', "{'a': 1}"],
    ['JSON with a comment', 'application/json', '{"a": 1 /* b */}'],
    ['JSON with a bare word', 'application/json', '{"a": b}'],
    ['JSON with a line break in a string', 'application/json', '"a\nb"'],
    ['JSON nested deeper than it is read', 'application/json', '['.repeat(100) + ']'.repeat(100)],
    ['multipart without a boundary', 'multipart/form-data', '--a\r\n\r\n\r\n--a--'],
    [
      'multipart with text in front',
      'multipart/form-data; boundary=a',
      'x\r\n--a\r\nContent-Disposition: form-data; name="q"\r\n\r\nx\r\n--a--\r\n',
    ],
    [
      'multipart with a part of another kind',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: attachment; name="q"\r\n\r\nx\r\n--a--\r\n',
    ],
    [
      'multipart with a part in base64',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data; name="q"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--a--\r\n',
    ],
    [
      'multipart with two dispositions',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data; name="q"\r\nContent-Disposition: form-data; name="r"\r\n\r\nx\r\n--a--\r\n',
    ],
    [
      'multipart with a folded line',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data;\r\n name="q"\r\n\r\nx\r\n--a--\r\n',
    ],
    [
      'multipart with lines that end in LF',
      'multipart/form-data; boundary=a',
      '--a\nContent-Disposition: form-data; name="q"\n\nx\n--a--\n',
    ],
  ];
  test.each(unread)('that cannot be read are refused: %s', async (_what, type, body) => {
    const filter = await open({ body: {} });
    const exchange = await post(filter, type, body);
    expect([verdict(exchange), rulesOf(exchange)]).toEqual(['waf_denied', ['protocol/body-unread']]);
    expect(verdict(await post(await open({ body: { unreadable: 'Pass' } }), type, body))).toBe('passes');
  });

  test('of types that are said to be none of its business pass', async () => {
    const filter = await open({ body: { unreadTypes: ['image/*', 'application/grpc'] } });
    expect(verdict(await post(filter, 'image/png', '<script>'))).toBe('passes');
    expect(verdict(await post(filter, 'application/grpc', 'x'))).toBe('passes');
    expect(verdict(await post(filter, 'application/grpc+json', '<script>'))).toBe('waf_denied');
  });

  test('more arguments than are allowed are an attack, in query and body together', async () => {
    const filter = await open({ body: {}, maxArguments: 4 });
    const form = 'application/x-www-form-urlencoded';
    expect(verdict(await post(filter, form, 'a&b', '/?c&d'))).toBe('passes');
    expect(rulesOf(await post(filter, form, 'a&b&c', '/?c&d'))).toEqual(['protocol/many-arguments']);
    expect(verdict(await post(filter, 'application/json', '{"a":1,"b":2,"c":["d","e","f"]}'))).toBe(
      'waf_denied',
    );
  });
});

test('a value that would cost more than it may is an attack, and costs the next request nothing', async () => {
  const filter = await open({
    body: {},
    rules: [{ name: 'own/far', pattern: 'a[ab]{100}-x', targets: ['body'] }],
  });
  let state = 1;
  const noise = Array.from({ length: 60_000 }, () =>
    (state = (state * 48_271) % 2_147_483_647) % 2 ? 'a' : 'b',
  );
  const exchange = await post(filter, 'text/plain', noise.join(''));
  expect([verdict(exchange), rulesOf(exchange)]).toEqual(['waf_denied', ['protocol/too-complex']]);
  expect(verdict(await post(filter, 'text/plain', 'plans for tomorrow'))).toBe('passes');
});

test('Authorization is not looked at', async () => {
  const exchange = await get(await open(), '/', [['authorization', "Bearer ' or 1=1--"]]);
  expect(verdict(exchange)).toBe('passes');
});

test('methods are those that are listed', async () => {
  const filter = await open({ methods: ['GET', 'PURGE'] });
  expect(verdict(await get(filter, '/', [], 'PURGE'))).toBe('passes');
  expect(rulesOf(await get(filter, '/', [], 'DELETE'))).toEqual(['protocol/method']);
});

test('a field that is missing is noted, and refuses nobody', async () => {
  const bare = await (
    await open({ paranoia: 2 })
  ).exchange({ request: { path: '/', authority: 'shop.test' } });
  expect([verdict(bare), rulesOf(bare)]).toEqual([
    'passes',
    ['protocol/no-user-agent', 'protocol/no-accept'],
  ]);
});

describe('a session that somebody else has begun', () => {
  test.each([
    ['https://evil.test/a', 'waf_denied'],
    ['https://shop.test.evil.test/', 'waf_denied'],
    ['https://shop.test/cart', 'passes'],
    ['https://SHOP.test:8443/cart', 'passes'],
    ['shop', 'passes'],
  ])('from %s: %s', async (referer, expected) => {
    const exchange = await get(await open(), '/?jsessionid=1', [['referer', referer]]);
    expect(verdict(exchange)).toBe(expected);
  });
  test('is none without a page that the client came from', async () => {
    expect(verdict(await get(await open(), '/?jsessionid=1'))).toBe('passes');
  });
  test('can be allowed for a payment that comes back', async () => {
    const filter = await open({ exclude: [{ rules: ['session/fixation'], targets: ['args.jsessionid'] }] });
    const referer: [string, string] = ['referer', 'https://pay.test/'];
    expect(verdict(await get(filter, '/?jsessionid=1', [referer]))).toBe('passes');
    expect(verdict(await get(filter, '/?phpsessid=1', [referer]))).toBe('waf_denied');
  });
});

test('base64 is looked into where it is plain text, and only there', async () => {
  const in64 = (text: string, encoding: BufferEncoding = 'utf8'): string =>
    encodeURIComponent(Buffer.from(text, encoding).toString('base64'));
  const filter = await open();
  expect(rulesOf(await get(filter, `/?a=${in64('; cat /etc/shadow')}`))).toContain('rce/unix-command');
  expect(verdict(await get(filter, `/?a=${in64('a page of a book, nothing more')}`))).toBe('passes');
  expect(verdict(await get(filter, `/?a=${in64('\xff\xfe; cat /etc/shadow', 'latin1')}`))).toBe('passes');
});

test.each<[string, [string, string][]]>([
  ['media types with parameters', [['content-type', 'multipart/related; start="<a@b>"; type=text/xml']]],
  ['weights and charsets', [['accept', 'text/html;level=1;q=0.5, application/json; charset=utf-8, */*']]],
  ['the rest of a file', [['range', 'bytes=1000-']]],
  ['its end, and some parts of it', [['range', 'bytes=0-1, 5-5, -10']]],
])('%s are nothing to refuse', async (_what, headers) => {
  const exchange = await get(await open(), '/', headers);
  expect([verdict(exchange), rulesOf(exchange)]).toEqual(['passes', []]);
});

test('in a pattern a space is the end of a line too, and \\n is that alone', async () => {
  const rules = ['a b', 'c[ x]d', 'e\\nf', 'g[^ ]h', 'i\\sj'].map((pattern, i) => ({
    name: `own/r${i}`,
    pattern: `^${pattern}$`,
    severity: 'critical',
    targets: ['args'],
  }));
  const filter = await open({ rules, threshold: 1000 });
  const found = async (value: string): Promise<string[]> =>
    rulesOf(await get(filter, `/?q=${encodeURIComponent(value)}`)).filter((rule) => rule.startsWith('own/'));
  expect(await found('a b')).toEqual(['own/r0']);
  expect(await found('a \r\n b')).toEqual(['own/r0']);
  expect(await found('c\nd')).toEqual(['own/r1']);
  expect(await found('e\nf')).toEqual(['own/r2']);
  expect(await found('e f')).toEqual([]);
  expect(await found('g\nh')).toEqual([]);
  expect(await found('i\nj')).toEqual(['own/r4']);
});
