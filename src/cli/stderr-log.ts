import type { Log } from '../runtime/worker-state.ts';

/** What filters and the engine log while a request is rehearsed, warnings and worse alone. */
export const stderrLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields, message) => line('warning', fields, message),
  error: (fields, message) => line('error', fields, message),
};

function line(level: string, fields: object, message: string): void {
  const plugin = 'plugin' in fields ? `${String(fields.plugin)}: ` : '';
  process.stderr.write(`${level}: ${plugin}${message}\n`);
}
