// Kills the worker of a demonstration, and fails where a page of a console beside it does not say so in time.
//
//   node vigil.mjs ORIGIN PID PICTURES
//
// Environment: WALK_TOKEN sees everything. ORIGIN is a console over the database that the process PID works on.

import { join } from 'node:path';
import { launch } from './browser.mjs';
import { Tab } from './page.mjs';

/** How soon every page must say that no worker is left, in milliseconds. */
const PROMISED = 15_000;

const [origin, pid, pictures] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.WALK_TOKEN}` };
const findings = new Set();

async function ask(path) {
  const answer = await fetch(origin + path, { headers });
  return answer.json();
}

/** What the line on a page says, and whether it is in view. */
function strip(tab) {
  return tab.evaluate(() => {
    const it = document.querySelector('.strip');
    return { text: it?.innerText.replace(/\s+/g, ' ') ?? '', bottom: it?.getBoundingClientRect().bottom ?? Infinity };
  });
}

async function choosePages() {
  const { runs } = await ask('/api/v1/runs?limit=1');
  const [{ run, restore }] = runs;
  const own = [`/runs/${run}`, `/runs/${run}/evidence`, `/runs/${run}/explain`];
  return ['/', '/runs', '/restores', '/queue', '/reasons', '/reasons/restore.items_mixed', '/find', ...own, ...(restore ? [`/restores/${restore}`] : [])];
}

async function watch(browser) {
  const context = await browser.createBrowserContext();
  const tab = await Tab.open(context, origin, 1440, findings);
  await tab.go('/login');
  await tab.fill('#token', process.env.WALK_TOKEN);
  await tab.follow((page) => page.click('main button[type="submit"]'));
  const pages = await choosePages();
  for (const path of pages) {
    await tab.go(path);
    const { text, bottom } = await strip(tab);
    tab.expect(/1 worker seen/.test(text), 'status', `says ${text} beside a worker`);
    tab.expect(bottom < 150, 'status', `ends at ${bottom} px`);
  }
  process.kill(Number(pid), 'SIGKILL');
  const killed = Date.now();
  while (Date.now() - killed < PROMISED && !/No worker is running/.test((await ask('/api/v1/status')).headline)) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // All pages show what this reading says; that a browser loads them one by one is no part of the promise.
  const took = Date.now() - killed;
  for (const path of pages) {
    await tab.go(path);
    const { text } = await strip(tab);
    tab.expect(/No worker is running last seen .* not looked at/.test(text), 'status', `says ${text} without a worker`);
  }
  if (took > PROMISED) findings.add(`it took ${took} ms until it was said that no worker runs`);
  await tab.go('/');
  await tab.checkShape();
  await tab.checkBothSchemes();
  await tab.picture(join(pictures, 'overview-without-worker-1440-light.png'));
  return took;
}

const browser = await launch();
let took;
try {
  took = await watch(browser);
} catch (error) {
  findings.add(`the vigil cannot go on: ${error.stack}`);
} finally {
  await browser.close();
}
for (const finding of findings) console.log(`FOUND ${finding}`);
console.log(`vigil: ${findings.size === 0 ? 'passed' : 'FAILED'}: it was said ${took} ms after the kill, and on every page`);
process.exitCode = findings.size === 0 ? 0 : 1;
