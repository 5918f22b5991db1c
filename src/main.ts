import { runCommandLine } from './cli/command-line.ts';
import { watchOutputs } from './cli/output-faults.ts';

watchOutputs();
await runCommandLine(process.argv.slice(2));
