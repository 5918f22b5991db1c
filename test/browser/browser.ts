/** A real browser: Debian's Chromium, driven without a window. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { installDebian } from '../languages/toolchains.ts';

const PROGRAM = '/usr/bin/chromium';

/** @throws where there is none and it cannot be installed */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(PROGRAM)) installDebian(['chromium']);
  // A browser's sandbox wants a user of its own, which test machines do not have.
  return chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox'] });
}
