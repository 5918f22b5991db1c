// No spelling of a request gets it to an upstream past what is denied, nor without the credential that its path asks for.
import { test } from 'vitest';
import { LISTENERS, tryRequests } from '../support/spellings.ts';

test.each(Object.entries(LISTENERS))(
  'behind a listener %s no spelling gets past what is denied',
  async (_what, listener) => {
    await tryRequests(listener, 300);
  },
  60_000,
);
