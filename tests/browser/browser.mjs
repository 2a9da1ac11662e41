// The browser that is installed, as a program that can be driven.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import puppeteer from 'puppeteer-core';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function findBrowser() {
  const places = process.env.PATH.split(delimiter);
  const found = BROWSERS.flatMap((name) => places.map((place) => join(place, name))).find(existsSync);
  if (!found) throw new Error(`there is none of ${BROWSERS.join(', ')} on PATH`);
  return found;
}

/** A browser that ends with this program. */
export function launch() {
  return puppeteer.launch({
    executablePath: findBrowser(),
    pipe: true, // ends with this program, however this ends
    args: [
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []), // the sandbox refuses root
      '--disable-dev-shm-usage', // small machines have a small one
      '--disable-gpu',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // the browser's own requests lead nowhere
    ],
  });
}
