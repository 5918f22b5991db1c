import { test } from 'vitest';
import { MORE_LISTENERS, tryRequests } from '../support/spellings.ts';

test.each(Object.entries(MORE_LISTENERS))(
  'behind a listener %s no spelling out of thousands gets past what is denied',
  async (_what, listener) => {
    await tryRequests(listener, 20_000);
  },
);
