// What docs/authoring/callbacks.md says that callbacks can read and write, in Envoy.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { observe } from '../languages/subject.ts';
import { accessOf, accessRows, MODES, PARTS, probed } from '../support/callback-tables.ts';
import { chunkedReply } from '../support/fake-upstream.ts';
import { pluginBytes } from '../support/plugin.ts';
import { temporaryFolder } from '../support/process.ts';
import { EnvoySubject } from './envoy.ts';

const HEAD = ['POST / HTTP/1.1', 'Host: a', 'X-Marker: 1', 'TE: trailers', 'Connection: TE'];
const SEND = `${HEAD.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nx-t: 1\r\n\r\n`;
const ANSWER = chunkedReply(['12', '34'], [['x-t', '1']], [['x-marker', '1']]);

let envoy: EnvoySubject;
beforeAll(async () => {
  const file = join(await temporaryFolder(), 'probe.wasm');
  writeFileSync(file, pluginBytes('callback-probe'));
  const place = (name: 'passing' | 'keeping') => ({
    name,
    filters: [{ file, configuration: MODES[name], rootId: '' }],
  });
  envoy = await EnvoySubject.start({ places: [place('passing'), place('keeping')] });
}, 120_000);

// To see the body while the head is held, Envoy needs a setting of its own.
describe.each(['passing', 'keeping'] as const)('a filter that is %s can read and write in Envoy', (mode) => {
  let logs: string[];
  beforeAll(async () => {
    const before = envoy.logs().length;
    await observe(envoy, { role: mode, send: SEND, upstream: ANSWER });
    await vi.waitUntil(() => probed(envoy.logs().slice(before), 'onDelete') !== null, 15_000);
    logs = envoy.logs().slice(before);
  });

  test.each(accessRows())('$name: what its row says', ({ name, cells }) => {
    const found = probed(logs, name.replaceAll('`', ''))!;
    for (const part of PARTS) {
      const said = accessOf(cells[part]!, 'envoy', mode);
      // More than is said may be there of bodies that have gone on; nobody can rely on it.
      if (part.endsWith('head')) expect([part, found[part]]).toEqual([part, said]);
      else if (said !== '-') expect([part, found[part]]).toEqual([part, said]);
    }
  });
});
