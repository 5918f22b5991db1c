// The filters of the porting guide in Rust and Go, built by their own tools.
import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { documentModule } from '../languages/build.ts';
import { blocksOf } from '../support/doc-blocks.ts';
import { expectTeam } from '../support/porting.ts';

test.each(['rust', 'go'] as const)(
  'the one in %s does what it says',
  { timeout: 600_000 },
  async (language) => {
    const { code } = blocksOf('docs/authoring/porting.md').find((block) => block.language === language)!;
    const file = documentModule(language, code);
    process.stdout.write(
      `the filter of the porting guide in ${language}: ${(statSync(file).size / 1024).toFixed(0)} KiB\n`,
    );
    await expectTeam(file);
    expect(statSync(file).size).toBeGreaterThan(0);
  },
);
