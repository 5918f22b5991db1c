import { memoryTests } from './memory-cases.ts';

memoryTests(1_000_000);
