#!/usr/bin/env node
// weir-asc ENTRY.ts -o OUT.wasm [--debug] [--sourceMap] [options of asc]
import { parseArgs } from 'node:util';
import { compileFilter } from './compile.mjs';

const USAGE = 'usage: weir-asc ENTRY.ts -o OUT.wasm [--debug] [--sourceMap] [-- options of asc]';

let request;
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      outFile: { type: 'string', short: 'o' },
      debug: { type: 'boolean' },
      sourceMap: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [entry, ...options] = positionals;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  if (entry === undefined || values.outFile === undefined) throw new Error(USAGE);
  request = { ...values, entry, options };
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}

const { ok, messages, problems } = await compileFilter(request);
process.stderr.write(messages);
for (const hint of new Set(problems.map((problem) => problem.hint)))
  if (hint !== '') process.stderr.write(`${hint}\n`);
process.exitCode = ok ? 0 : 1;
