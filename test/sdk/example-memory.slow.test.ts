import { exampleMemoryTests } from './example-memory.ts';

exampleMemoryTests(1_000_000);
