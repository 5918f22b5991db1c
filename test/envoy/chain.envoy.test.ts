// Plugins of different languages in one chain, in weir and in Envoy.
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, pluginFile } from '../languages/build.ts';
import type { Language } from '../languages/build.ts';
import type { Place, PlacedFilter } from '../languages/subject.ts';
import { chunkedReply, reply } from '../support/fake-upstream.ts';
import { values } from '../support/message.ts';
import { getRequest, postRequest } from '../support/raw-client.ts';
import { Both } from './both.ts';

function plugin(language: Language, configuration: string): PlacedFilter {
  return { file: pluginFile(language), configuration, rootId: 'plugin' };
}

const PLACES: Place[] = [
  { name: 'all', filters: LANGUAGES.map((language) => plugin(language, 'headers')) },
  {
    name: 'refused',
    filters: [plugin('rust', 'headers'), plugin('go', 'reply'), plugin('c', 'headers')],
  },
  { name: 'bodies', filters: [plugin('c', 'body'), plugin('rust', 'body'), plugin('go', 'body')] },
  { name: 'held', filters: [plugin('go', 'auth'), plugin('as-weir', 'tick'), plugin('c', 'dispatches')] },
];

describe('a chain of plugins in several languages', () => {
  let both: Both;
  beforeAll(async () => {
    both = await Both.start({ places: PLACES });
  }, 120_000);

  test('is walked in its order for requests and backwards for answers', async () => {
    const seen = await both.compare({
      role: 'all',
      send: getRequest('/old/x', 'plugin.test'),
      awaits: LANGUAGES.map(() => 'done /new/x 200'),
    });
    // The last that set it, and all that added to it.
    expect(values(seen.upstream[0]!.fields, 'x-plugin')).toEqual([LANGUAGES.at(-1)]);
    expect(values(seen.upstream[0]!.fields, 'x-many')).toHaveLength(2 * LANGUAGES.length);
    expect(seen.answer.headers('x-response')).toEqual([...LANGUAGES].reverse());
  });

  test('shows a reply to the filters that saw the request, and to no others', async () => {
    const seen = await both.compare({
      role: 'refused',
      send: getRequest('/', 'plugin.test', 'X-Reply: 403'),
      awaits: ['done / 403'],
    });
    expect(seen.upstream).toEqual([]);
    expect(seen.answer.headers('x-response')).toEqual(['rust']);
    expect([...both.used].map(({ id }) => id)).toContain('log-unreached');
  });

  test('shows a reply that replaces an answer', async () => {
    const seen = await both.compare({
      role: 'refused',
      send: getRequest('/', 'plugin.test'),
      upstream: reply(200, [['x-bad', '1']], 'not to be seen'),
      awaits: ['done / 502', 'done / 502'],
    });
    expect(seen.answer.text).toBe('replaced\n');
  });

  test('gathers a body in each filter in turn', async () => {
    const request = await both.compare({
      role: 'bodies',
      send: postRequest('/', 'body', 'plugin.test', 'X-Body: append'),
    });
    expect(request.upstream[0]!.body).toBe('body[end][end][end]');
    const answer = await both.compare({
      role: 'bodies',
      send: getRequest('/', 'plugin.test'),
      upstream: chunkedReply(['sec', 'ret']),
    });
    expect(answer.answer.text).toBe('Original message body (6 bytes) redacted.\n');
  });

  test('holds a request in one filter after the other, and its answer', async () => {
    const seen = await both.compare({
      role: 'held',
      send: postRequest('/', 'body', 'plugin.test', 'X-Token: t'),
      authz: reply(200, [['x-user', 'mira']], 'welcome'),
    });
    expect(seen.authz.map(({ target }) => target).sort()).toEqual(['/1', '/2', '/3', '/check']);
    expect(values(seen.upstream[0]!.fields, 'x-resumed-by')).toEqual(['tick']);
    expect(values(seen.upstream[0]!.fields, 'x-user')).toEqual(['mira']);
    expect(seen.upstream[0]!.body).toBe('body');
    expect(seen.answer.header('x-dispatched')).toBe('3');
  });
});
