import { expect, test } from 'vitest';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { redactSnapshot } from '../../src/control/redact.ts';
import { CHAIN } from '../support/edge.ts';

const KEY = 'sk-0123456789abcdef';

const text = (config: string, key = KEY): string => `
${CHAIN}  filters: [{name: own, use: headers, config: ${config}}]
---
apiVersion: v1
kind: Secret
metadata: {name: provider}
stringData: {key: ${key}}
`;

async function load(yaml: string) {
  const parsed = parseText('all.yaml', yaml);
  return loadDocuments(parsed.documents, new FileReader(), parsed);
}

const setting = (value: string): string => `{request: {set: {authorization: ${value}, x-plain: seen}}}`;
const referring = setting("{prefix: 'Bearer ', secretRef: {name: provider, key: key}}");

test('a filter gets the value of a Secret, behind the prefix, and nobody is shown it', async () => {
  const { snapshot, diagnostics } = await load(text(referring));
  expect(diagnostics).toEqual([]);
  expect(JSON.parse(snapshot!.plugins[0]!.configuration)).toEqual({
    request: { set: { authorization: `Bearer ${KEY}`, 'x-plain': 'seen' } },
  });
  const shown = JSON.stringify(redactSnapshot(snapshot!));
  expect(shown).not.toContain(KEY);
  expect(shown).toContain('seen');
});

test('another value of the Secret is another snapshot', async () => {
  const versions = [await load(text(referring)), await load(text(referring, 'sk-other-key-of-it'))];
  expect(new Set(versions.map(({ snapshot }) => snapshot!.version)).size).toBe(2);
});

test.each([
  ['{secretRef: {name: provder, key: key}}', 'WEIR2113', 'Secret default/provder not found'],
  ['{secretRef: {name: provider, key: kye}}', 'WEIR2115', 'has no value "kye"'],
  ['{secretRef: {name: provider}}', 'WEIR1046', '{secretRef: {name, key}}'],
  ['{secretRef: {name: provider, key: key}, sufix: x}', 'WEIR1046', '{secretRef: {name, key}}'],
  ['{secretRef: provider}', 'WEIR1046', '{secretRef: {name, key}}'],
  ['{secretRef: {name: provider, key: key}, prefix: 1}', 'WEIR1046', '{secretRef: {name, key}}'],
])('%s is refused', async (value, code, message) => {
  const { snapshot, diagnostics } = await load(text(setting(value)));
  expect(snapshot).toBeNull();
  expect(diagnostics.map((each) => each.code)).toEqual([code]);
  expect(diagnostics[0]!.message).toContain(message);
});

test('a schema that refuses a value of a Secret does not tell it', async () => {
  const yaml = text(
    '{request: {remove: [x-a, {secretRef: {name: provider, key: key}}]}}',
    '"no name of a field"',
  );
  const { diagnostics } = await load(yaml);
  expect(diagnostics).not.toEqual([]);
  expect(JSON.stringify(diagnostics)).not.toContain('no name of a field');
});
