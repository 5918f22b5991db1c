// How large modules may be: what makes the SDK larger shows here. Ceilings are some percent above what is measured.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { compileFilter } from '../../filters-sdk/cli/compile.mjs';
import { filterBytes } from '../support/filter.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-sizes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const filter = (imports: string, body: string): string => `export * from '@weir/filters-sdk/assembly/exports';
import { Action, RootContext, StreamContext, registerRoot, responseHeaders } from '@weir/filters-sdk/assembly';
${imports}
class Root extends RootContext {
  createStream(): StreamContext {
    return new Stream();
  }
}
class Stream extends StreamContext {
  onResponseHeaders(count: i32, endOfStream: bool): Action {
    ${body}
    return Action.Continue;
  }
}
registerRoot(new Root());
`;

async function sizeOf(source: string): Promise<number> {
  const entry = join(folder, 'filter.ts');
  writeFileSync(entry, source);
  const { ok, messages, binary } = await compileFilter({ entry, baseDir: folder });
  expect(messages).toBe('');
  expect(ok).toBe(true);
  return binary!.length;
}

const KIB = 1024;

test('a filter that sets a header is at most 8 KiB', async () => {
  expect(await sizeOf(filter('', "responseHeaders.set('x-hello', 'from weir');"))).toBeLessThanOrEqual(
    8 * KIB,
  );
}, 60_000);

test('one that waits for a call is at most 20 KiB', async () => {
  const imports = `import { PairsWriter } from '@weir/filters-sdk/assembly';
import { call, wait } from '@weir/filters-sdk/assembly/wait';`;
  const body = `const answer = wait(call('auth', new PairsWriter().add(':path', '/'), '', 10));
    if (!answer.failed) responseHeaders.set('x-hello', 'from weir');`;
  expect(await sizeOf(filter(imports, body))).toBeLessThanOrEqual(20 * KIB);
}, 60_000);

test.each([
  ['api-key', 50],
  ['basic', 50],
  ['bots', 50],
  ['cache-control', 47],
  ['cors', 42],
  ['csrf', 37],
  ['ext-authz', 88],
  ['graphql', 80],
  ['headers', 40],
  ['hmac', 86],
  ['webhook', 60],
  ['introspection', 62],
  ['jwt', 84],
  ['mtls', 57],
  ['oidc', 116],
  ['quota', 72],
  ['rate-limit', 71],
  ['rate-limit-service', 79],
  ['security-headers', 50],
  ['transform', 122],
  ['waf', 245],
  ['validate', 70],
])(
  '%s is at most %i KiB',
  (name, most) => {
    expect(filterBytes(name).length / KIB).toBeLessThanOrEqual(most);
  },
  60_000,
);
