/** Heads and bodies for the property tests: mostly right, often on the edge, sometimes mutated. */
import fc from 'fast-check';

const line = (...parts: string[]): fc.Arbitrary<string> => fc.constantFrom(...parts);

/** Good ones mostly, so that the rules behind them are reached. */
const mostly = (good: fc.Arbitrary<string>, ...bad: string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 20, arbitrary: good }, { weight: 1, arbitrary: line(...bad) });

const method = mostly(
  line('GET', 'HEAD', 'POST', 'OPTIONS', 'M', 'get', 'PATCH'),
  'CONNECT',
  '',
  'A'.repeat(33),
  'G\0T',
);
const target = fc.oneof(
  { weight: 20, arbitrary: line('/', '/a', '/a?b', '//', '/a/../b', '/\x80') },
  {
    weight: 4,
    arbitrary: line(
      'http://B.example',
      'http://b.example:80/x',
      'https://b.example.:443?y',
      'http://b.example:99',
      'HTTP://[::1]/',
      'http://u@b.example/',
      'http://',
      'http:/x',
      'ftp://x/',
      'h',
      'http://b.example:0/',
    ),
  },
  { weight: 1, arbitrary: line('*', '**', '', '/a#b', '/a b', 'a', '?', '/'.repeat(30), '/\0') },
);
const version = mostly(
  line('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.',
  '',
  'HTTP/1.1 ',
  'HTTP/11',
  'ICE/1.0',
);
const status = mostly(
  line('200', '204', '304', '100', '101', '404', '599'),
  '600',
  '099',
  '20',
  '2000',
  'abc',
  '',
);

/** Longer than what a block of fields has room for at first, and than what it grows to. */
const long = fc
  .tuple(fc.integer({ min: 500, max: 9000 }), fc.nat(25))
  .map(([size, from]) => 'abcdefghijklmnopqrstuvwxyz'.repeat(1 + size / 26).slice(from, from + size));

const value = fc.oneof(
  { weight: 2, arbitrary: long },
  { weight: 40, arbitrary: line('', 'a', 'a b', ' \t a\t ', '\x80\xff', 'x'.repeat(30), '"a:b"', 'a\tb') },
  {
    weight: 40,
    arbitrary: fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)),
      maxLength: 12,
    }),
  },
);
const name = line(
  'A',
  'b',
  'X-Long-Name',
  'X_Y',
  'accept',
  'X-Forwarded-For',
  'Forwarded',
  'X-Real-Ip',
  'x-request-id',
  'cookie',
  'Authorization',
  "!#$%&'*+.^`|~",
);
const plainField = fc.tuple(name, line(': ', ':', ':  ', ':\t'), value).map((parts) => parts.join(''));
const known = (names: fc.Arbitrary<string>, values: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(names, values).map((parts) => parts.join(''));
const knownField = fc.oneof(
  known(
    line('Content-Length: ', 'content-length:'),
    mostly(line('0', '5', '05', '9007199254740991'), '', '5,5', '-1', '9007199254740992'),
  ),
  known(
    line('Transfer-Encoding: ', 'transfer-encoding:\t'),
    mostly(line('chunked', 'Chunked '), 'gzip', 'chunked, chunked', '', 'gzip, chunked', ','),
  ),
  known(
    line('Connection: '),
    mostly(
      line(
        'close',
        'keep-alive',
        'Upgrade',
        'keep-alive, a, B',
        'host, cookie',
        ', ,x-long-name',
        'upgrade,close',
      ),
      'close;',
      'a b',
    ),
  ),
  known(line('Upgrade: '), line('websocket', 'h2c', 'h2c, websocket', '', 'foo/1 , bar')),
  known(line('TE: '), line('trailers', 'gzip', 'gzip, trailers', 'trailers;q=1')),
  known(line('Expect: '), mostly(line('100-continue', '100-Continue'), 'x', '')),
  line('Keep-Alive: x', 'Proxy-Connection: x', 'Trailer: x', 'HTTP2-Settings: x', 'Proxy-Authenticate: x'),
  mostly(
    line('X_Forwarded_For: 5', 'X.Real.IP: 5', 'X_Y: 5'),
    'Content_Length: 5',
    'transfer.encoding: 5',
    'Host: b',
  ),
);
const host = known(
  line('Host: '),
  mostly(
    line('a.example', 'A.Example.:80', 'a.example:8080', '[::1]', '[2001:DB8::1]:443'),
    '',
    'a b',
    'a..b',
    'a:0',
  ),
);
const badField = line(
  'A',
  ': b',
  'A : b',
  ' A: b',
  'A: b\0',
  'A: \x7f',
  'A(: b',
  '\x80: b',
  'A: b\rc',
  'A: b\nc',
);

/** Most heads have what they need, so that the rules behind the first faults are reached too. */
const fields = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 12, arbitrary: plainField },
        { weight: 12, arbitrary: knownField },
        { weight: 1, arbitrary: badField },
      ),
      { maxLength: 8 },
    ),
    host,
    fc.integer({ min: 0, max: 9 }),
    fc.integer({ min: 0, max: 8 }),
  )
  .map(([lines, asked, chance, at]) =>
    chance < 8 ? [...lines.slice(0, at), asked, ...lines.slice(at)] : lines,
  );

const ends = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: line('\n', '\r', '\r\r\n', '') },
);

const join = (lines: string[], end: string, at: number): string =>
  [...lines, ''].map((text, i) => text + (i === at ? end : '\r\n')).join('');

const requestHead = fc
  .tuple(
    mostly(line('', '', '', '\r\n', '\r\n\r\n'), '\r\n'.repeat(5)),
    method,
    target,
    version,
    fields,
    ends,
    fc.nat(10),
  )
  .map(([empty, m, t, v, lines, end, at]) => empty + join([`${m} ${t} ${v}`, ...lines], end, at));

const answerHead = fc
  .tuple(version, status, line(' OK', ' ', '', ' \x80', ' a\0'), fields, ends, fc.nat(10))
  .map(([v, s, reason, lines, end, at]) => join([`${v} ${s}${reason}`, ...lines], end, at));

const byte = fc.oneof(
  line(
    '\0',
    '\t',
    '\n',
    '\r',
    ' ',
    ':',
    ',',
    ';',
    '_',
    '.',
    '-',
    '/',
    '%',
    '\x7f',
    '\x80',
    '\xff',
    '0',
    'a',
    'A',
    '\r\n',
  ),
  fc.nat(255).map((c) => String.fromCharCode(c)),
);

/** Text with a few bytes changed, put in, left out, or cut off. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.tuple(
    line('set', 'insert', 'remove', 'cut'),
    // Without bias, which would have most changes at the very start.
    fc.noBias(fc.nat(9999)),
    byte,
  );
  return fc.tuple(text, fc.noBias(fc.array(change, { maxLength: 2 }))).map(([original, changes]) => {
    let out = original;
    for (const [what, where, character] of changes) {
      const at = Math.floor((where / 10_000) * out.length);
      if (what === 'set') out = out.slice(0, at) + character + out.slice(at + 1);
      else if (what === 'insert') out = out.slice(0, at) + character + out.slice(at);
      else if (what === 'remove') out = out.slice(0, at) + out.slice(at + 1);
      else out = out.slice(0, at);
    }
    return out;
  });
}

export const requestText = mutated(requestHead);
export const answerText = mutated(answerHead);

const extension = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: line(';a', ';a=b', ' ; a = "b\\"" ;c', ';a=""', `;${'x'.repeat(255)}`) },
  { weight: 1, arbitrary: line(';', ' ', ';a ', ';a=', ';"', `;${'x'.repeat(256)}`) },
);
const chunk = fc
  .tuple(fc.string({ unit: byte, maxLength: 20 }), extension, line('', '', '0', '00000000'), fc.boolean())
  .filter(([data]) => data.length > 0)
  .map(([data, extensions, zeros, upper]) => {
    const size = data.length.toString(16);
    return `${zeros}${upper ? size.toUpperCase() : size}${extensions}\r\n${data}\r\n`;
  });
const trailer = fc.oneof(plainField, plainField, knownField, badField);

export const chunkedText = mutated(
  fc
    .tuple(
      fc.array(chunk, { maxLength: 6 }),
      line('0', '0', '000', '0;a=b'),
      fc.array(trailer, { maxLength: 3 }),
    )
    .map(
      ([chunks, last, trailers]) =>
        `${chunks.join('')}${last}\r\n${trailers.map((text) => `${text}\r\n`).join('')}\r\n`,
    ),
);

export const pathText = fc
  .array(
    line(
      '/',
      '/',
      '.',
      '..',
      'a',
      'B',
      '%2e',
      '%2E',
      '%2f',
      '%5C',
      '\\',
      '%41',
      '%00',
      '%',
      '%4',
      '%zz',
      '%25',
      '?',
      '//',
      '/./',
      '/../',
      'x/y',
      '\x80',
      ';',
      ' ',
      '#',
    ),
    { maxLength: 12 },
  )
  .map((parts) => `/${parts.join('')}`);

/** Cuts for a text: where they fall is scaled to its length. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

/** The default mostly, else one that the messages here come close to. */
const limit = (usual: number, ...small: number[]): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...small) },
  );

export const limits = fc.record({
  headBytes: limit(60 * 1024, 60, 90, 120),
  targetBytes: limit(16 * 1024, 4),
  fieldBytes: limit(16 * 1024, 12, 24),
  fields: limit(100, 1, 3),
  trustedHops: fc.constantFrom(0, 1),
  underscores: fc.constantFrom('reject' as const, 'drop' as const, 'allow' as const),
  escapedSlashes: fc.constantFrom('reject' as const, 'keep' as const, 'decode' as const),
  backslash: fc.constantFrom('reject' as const, 'decode' as const),
  mergeSlashes: fc.boolean(),
  pathParameters: fc.constantFrom('keep' as const, 'reject' as const, 'remove' as const),
});
