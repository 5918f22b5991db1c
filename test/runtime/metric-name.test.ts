import { describe, expect, test } from 'vitest';
import { parseMetricName } from '../../src/runtime/metric-name.ts';

describe('the name of a metric', () => {
  test.each([
    ['requests', 'requests', []],
    [
      'requests{user="a",code="200"}',
      'requests',
      [
        ['user', 'a'],
        ['code', '200'],
      ],
    ],
    [
      'requests{ user = "a" , code="" }',
      'requests',
      [
        ['user', 'a'],
        ['code', ''],
      ],
    ],
    ['requests{}', 'requests', []],
    ['requests{path="a,b=\\"c\\" {}\\\\ \\n"}', 'requests', [['path', 'a,b="c" {}\\ \n']]],
    ['requests{a="1",a="2"}', 'requests', [['a', '2']]],
    [
      'requests{filter="x",le="y",__name__="z"}',
      'requests',
      [
        ['exported_filter', 'x'],
        ['exported_le', 'y'],
        ['exported___name__', 'z'],
      ],
    ],
    // As istio/proxy's stats plugin writes them.
    [
      'reporter=.=source;.;code=.=200;.;_requests_total',
      'requests_total',
      [
        ['reporter', 'source'],
        ['code', '200'],
      ],
    ],
    // As the Go SDK's example writes them: an Envoy without a rule for tags keeps the name whole.
    [
      'custom_header_value_counts_value=foo_reporter=wasmgosdk',
      'custom_header_value_counts_value=foo_reporter=wasmgosdk',
      [],
    ],
  ])('%s', (text, name, labels) => {
    expect(parseMetricName(text)).toEqual({ name, labels });
  });

  test.each([
    'requests{',
    'requests}',
    '{a="1"}',
    'requests{a=1}',
    'requests{a="1"',
    'requests{a="1"}x',
    'requests{1a="1"}',
    'requests{a="1" b="2"}',
    'requests{a="\\x"}',
    'requests{a="1",}x',
    'a=.=b;.;',
    `r{${Array.from({ length: 17 }, (_, i) => `l${i}="v"`).join(',')}}`,
  ])('%s is none', (text) => {
    expect(parseMetricName(text)).toBeNull();
  });
});
