import { expect, test } from 'vitest';
import { ConsumerMetrics } from '../../src/runtime/consumer-metrics.ts';
import { Metrics } from '../../src/runtime/metrics.ts';

function counted(most: number, ...requests: (readonly [consumer: string, status: number])[]) {
  const metrics = new Metrics();
  const consumers = new ConsumerMetrics(metrics.scope(), most);
  for (const [consumer, status] of requests) consumers.record(consumer, status);
  const { series } = metrics.dump().find(({ name }) => name === 'weir_consumer_requests_total')!;
  return Object.fromEntries(
    series.map(({ labels, values }) => [`${labels.consumer} ${labels.response_code_class}`, values[0]]),
  );
}

test('requests are counted by consumer and class of status; who is not known is unknown', () => {
  expect(counted(10, ['ann', 200], ['ann', 204], ['ann', 429], ['', 401], ['bob', 0])).toEqual({
    'ann 2xx': 2,
    'ann 4xx': 1,
    'unknown 4xx': 1,
    'bob none': 1,
  });
});

test('names that clients choose do not make series without end', () => {
  const many = Array.from({ length: 1000 }, (_, i) => [`n${i}`, 200] as const);
  expect(counted(2, ...many, ['n0', 200])).toEqual({ 'n0 2xx': 2, 'n1 2xx': 1, 'other 2xx': 998 });
});
