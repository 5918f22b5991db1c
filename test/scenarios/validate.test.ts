import { expect, test } from 'vitest';
import { edge } from '../support/edge.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { freePort } from '../support/ports.ts';
import { Weir } from '../support/process.ts';
import { type Answer, exchange, getRequest } from '../support/raw-client.ts';

const api = (limit: string): string => `openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /orders:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer, ${limit}}}]
      responses: {"200": {description: all}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [item]}}}}
      responses: {"200": {description: made}}
`;

const policies = (
  port: number,
  upstream: number,
): string => `${edge({ port, upstreamPort: upstream, upstream: 'shop' })}---
apiVersion: policy.weir/v1alpha1
kind: FilterChain
metadata: {name: shape}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  filters:
  - {name: api, use: validate, config: {body: {maxBytes: 100}, openapi: {file: api.yaml}}}
`;

test('requests are held against the document as it is now, and a change that is wrong changes nothing', async () => {
  const upstream = await FakeUpstream.start({ discard: true });
  const port = await freePort();
  const files = { 'edge.yaml': policies(port, upstream.port), 'api.yaml': api('maximum: 100') };
  const weir = await Weir.start({ files, workers: 2 });
  const get = async (limit: number): Promise<number> =>
    (await exchange({ port }, getRequest(`/orders?limit=${limit}`))).status;
  const post = (chunks: readonly string[]): Promise<Answer> => {
    const head = getRequest(
      '/orders',
      'shop.test',
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    );
    const body = chunks.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('');
    return exchange({ port }, `${head.replace('GET', 'POST')}${body}0\r\n\r\n`);
  };
  expect([await get(50), await get(500)]).toEqual([200, 400]);
  expect((await post(['{"it', 'em":1}'])).status).toBe(200);
  expect((await post(['{"it', 'en":1}'])).json()).toMatchObject({
    errors: [{ pointer: '/item', rule: 'required' }],
  });
  expect((await post(['"', 'x'.repeat(200), '"'])).status).toBe(413);

  await weir.write('api.yaml', api('maximum: 10'));
  await expect.poll(() => get(50), { interval: 20, timeout: 10_000 }).toBe(400);
  await weir.write('api.yaml', api('maxmum: 100'));
  await expect
    .poll(() => weir.stderr, { interval: 20, timeout: 10_000 })
    .toContain('did you mean "maximum"?');
  expect([await get(5), await get(50)]).toEqual([200, 400]);
  await weir.stop();
});
