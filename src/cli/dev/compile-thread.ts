import { parentPort } from 'node:worker_threads';
import { compileWith, type Sdk } from '../filter/sdk.ts';
import type { CompileAnswer, CompileQuestion } from './compiler.ts';

/**
 * Program of the thread that compiles. The compiler stays loaded and warm, which makes a compilation five
 * times faster than the first, and neither the terminal nor the page waits for it.
 */
parentPort?.on('message', ({ id, sdk, request }: CompileQuestion) => void answer(id, sdk, request));

async function answer(id: number, sdk: Sdk, request: CompileQuestion['request']): Promise<void> {
  const startedAt = performance.now();
  let reply: CompileAnswer;
  try {
    const { ok, messages, problems, binary, files } = await compileWith(sdk, request);
    reply = {
      id,
      ok,
      messages,
      problems,
      size: binary?.length ?? 0,
      files,
      ms: performance.now() - startedAt,
    };
  } catch (error) {
    const messages = error instanceof Error ? (error.stack ?? error.message) : String(error);
    reply = { id, ok: false, messages, problems: [], size: 0, files: [], ms: performance.now() - startedAt };
  }
  parentPort?.postMessage(reply);
}
