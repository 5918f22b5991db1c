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
    console.log(USAGE);
    process.exit(0);
  }
  if (entry === undefined || values.outFile === undefined) throw new Error(USAGE);
  request = { ...values, entry, options };
} catch (error) {
  console.error(error.message);
  process.exit(2);
}

const { ok, messages } = await compileFilter(request);
if (messages !== '') console.error(messages.trimEnd());
process.exit(ok ? 0 : 1);
