import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileReader } from '../../src/control/files.ts';
import { loadDocuments, type LoadedWithTests } from '../../src/control/load.ts';
import { parseText } from '../../src/control/parse.ts';
import { runPolicyTests, type PolicyRun } from '../../src/rehearsal/policy-run.ts';
import { ROOT } from '../support/process.ts';

const LIBRARY = join(ROOT, 'policies');

/** The folders of policies/. */
export const POLICIES = readdirSync(LIBRARY, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

export const fileOf = (policy: string, name: string): string => join(LIBRARY, policy, name);

/** Loads a policy from texts, as if they stood in its folder. */
export function load(policy: string, texts: Readonly<Record<string, string>>): Promise<LoadedWithTests> {
  const parsed = Object.entries(texts).map(([name, text]) => parseText(fileOf(policy, name), text));
  return loadDocuments(
    parsed.flatMap(({ documents }) => documents),
    new FileReader(),
    {
      diagnostics: parsed.flatMap(({ diagnostics }) => diagnostics),
      unread: parsed.flatMap(({ unread }) => unread),
    },
    { standIns: true },
  );
}

const ignore = (): void => undefined;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** @returns null where the configuration is refused */
export async function runTests(loaded: LoadedWithTests): Promise<PolicyRun | null> {
  const { snapshot } = loaded;
  return snapshot === null ? null : runPolicyTests({ ...loaded, snapshot }, null, SILENT, ignore);
}
