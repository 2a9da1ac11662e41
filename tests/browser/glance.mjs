// What the first screen says of a console full of runs, and how few clicks lead from there to one of them.
//
//   node glance.mjs ORIGIN PLATFORM RUNS
//
// Environment: WALK_TOKEN sees everything. ORIGIN shows a demonstration of so many generated runs beside a worker, and leads
// to pages of PLATFORM.

import { launch } from './browser.mjs';
import { Tab } from './page.mjs';

/** The first of those that are generated, and any of them. */
const FIRST = 1_000_000;
const RUN = FIRST + 711;

const [origin, platform, runs] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.WALK_TOKEN}` };
const findings = new Set();

async function ask(path) {
  const answer = await fetch(origin + path, { headers });
  if (!answer.ok) throw new Error(`${answer.status} of ${path}`);
  return answer.json();
}

/** What can be read before anybody scrolls, with single spaces. */
function firstScreen(tab) {
  return tab.evaluate(() => {
    scrollTo(0, 0);
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      const { width, height, top, bottom } = range.getBoundingClientRect();
      if (width > 0 && height > 0 && top >= 0 && bottom <= innerHeight) texts.push(walker.currentNode.data);
    }
    return texts.join(' ').replace(/\s+/g, ' ');
  });
}

/** Whether workers run, each kind of trouble, where it is and what to do about it. */
async function checkFirstScreen(tab) {
  const { needs_attention: needs } = await ask('/api/v1/posture');
  tab.expect(needs.causes.length > 3, 'trouble', `there are ${needs.causes.length} kinds of it`);
  const text = await firstScreen(tab);
  const expected = needs.causes.flatMap(({ summary, next_action, listed: [place] }) => [
    summary,
    next_action,
    `${place.workspace.name} / ${place.environment.name}`,
  ]);
  for (const words of ['1 worker seen', 'kinds of trouble', ...expected]) {
    tab.expect(text.includes(words), 'first screen', `does not say: ${words}`);
  }
  const counts = await tab.evaluate(() => [...document.querySelectorAll('.needs td.n:nth-child(3)')].map((it) => it.textContent));
  const places = needs.causes.map((cause) => cause.places);
  const shown = counts.map((it) => Number(it.replace(/\D/g, '')));
  tab.expect(`${shown}` === `${places}`, 'first screen', `counts ${shown} places instead of ${places}`);
}

/** The run, its restore, and the platform's page of that, each a click further. */
async function checkThreeClicks(tab) {
  const { restore } = await ask(`/api/v1/runs/${RUN}`);
  await tab.fill('header input[name="q"]', String(RUN));
  await tab.follow((page) => page.click('header form[role="search"] button'));
  tab.expect(tab.path === `/runs/${RUN}`, 'find', `leads to ${tab.path}`);
  await tab.followLink(`a[href="/restores/${restore.id}"]:not(#diagnostics *)`);
  const leads = await tab.evaluate(() => [...document.querySelectorAll('a[rel~="noreferrer"]')].map((it) => it.href));
  tab.expect(leads.includes(`${platform}/restores/${restore.id}`), 'platform', `leads to ${leads}`);
}

/** The charts have dates of a month, and a bar's runs are a click away. */
async function checkHistory(tab) {
  const { workspaces } = await ask('/api/v1/posture?window=30d');
  const days = workspaces.flatMap(({ mix }) => mix.periods.filter((it) => it.succeeded + it.failed > 0).map((it) => it.from));
  tab.expect(new Set(days).size >= 25, 'history', `is of ${new Set(days).size} days`);
  const names = workspaces.map(({ workspace }) => workspace.name);
  tab.expect(!names.some((name) => /\d/.test(name)) && names.includes('Contoso'), 'names', `are ${names}`);
  await tab.go('/?window=30d');
  const least = await tab.evaluate(() => {
    const bars = [...document.querySelectorAll('.columns a')].map((it) => it.getBoundingClientRect());
    return Math.min(...bars.map(({ width, height }) => Math.min(width, height)));
  });
  tab.expect(least >= 24 && least < 1000, 'charts', `have bars to be pressed of ${least} px`);
  // Of a workspace whose verdicts are all counted; a list is one page long, and has runs without a verdict of ours too.
  const bar = await tab.evaluate(() => {
    const of = (it) => it.title.replaceAll(',', '').match(/\d+(?= (succeeded|partly|blocked|failed))/g).reduce((sum, it) => sum + Number(it), 0);
    const whole = [...document.querySelectorAll('figure.mix')].filter((it) => !/Only the latest/.test(it.innerText));
    const bars = whole.flatMap((it) => [...it.querySelectorAll('.columns a')]).map((it) => ({ href: it.getAttribute('href'), count: of(it) }));
    return bars.findLast(({ count }) => count > 1 && count < 30);
  });
  await tab.followLink(`.columns a[href="${bar.href}"]`);
  tab.expect(/^\/runs\?workspace=\d+&created_from=/.test(tab.path), 'charts', `have bars that lead to ${tab.path}`);
  const states = await tab.evaluate(() => [...document.querySelectorAll('table.runs .badge')].map((it) => it.innerText));
  const decided = states.filter((it) => /(Succeeded|Partly succeeded|Blocked|Failed)$/.test(it)).length;
  tab.expect(decided === bar.count, 'charts', `have a bar of ${bar.count} that leads to ${decided} verdicts`);
  await tab.go('/?window=7d');
  const dates = await tab.evaluate(() => [...document.querySelectorAll('.axis-x')].map((it) => it.children.length));
  tab.expect(dates.length > 0 && dates.every((it) => it === 3), 'charts', `have ${dates} dates`);
  await tab.click('.mix details summary');
  await tab.followLink('.mix details[open] tbody a');
  tab.expect(/^\/runs\?workspace=\d+&created_from=/.test(tab.path), 'charts', `lead to ${tab.path}`);
  const listed = await tab.evaluate(() => document.querySelectorAll('table.runs tbody tr').length);
  tab.expect(listed > 0, 'charts', 'lead to no runs');
}

/** Who works is said first, however many runs are open. */
async function checkQueue(tab) {
  await tab.go('/queue?refresh=off');
  const bottom = await tab.evaluate(() => document.querySelector('#workers').getBoundingClientRect().bottom);
  tab.expect(bottom < 300, 'workers', `stand at ${bottom} px`);
}

/** The most urgent first, and one posture alone. */
async function checkArranged(tab) {
  const marks = () => tab.evaluate(() => [...document.querySelectorAll('table.environments tbody td:nth-child(2) .badge')].map((it) => it.className));
  await tab.go('/?order=urgent');
  const urgency = ['badge danger', 'badge warning', 'badge neutral', 'badge calm'];
  const found = (await marks()).map((it) => urgency.indexOf(it));
  tab.expect(found.length > 3 && `${found}` === `${[...found].sort()}`, 'order', `is ${found}`);
  await tab.go('/?posture=unvalidated');
  const words = await tab.evaluate(() => [...document.querySelectorAll('table.environments tbody td:nth-child(2)')].map((it) => it.innerText));
  tab.expect(words.length > 0 && words.every((it) => /Unvalidated/.test(it)), 'posture', `shows ${words}`);
}

async function look(browser) {
  await ask(`/api/v1/runs/${FIRST + Number(runs) - 1}`); // the last of them is there
  const tab = await Tab.open(await browser.createBrowserContext(), origin, 1440, findings);
  await tab.go('/login');
  await tab.fill('#token', process.env.WALK_TOKEN);
  await tab.follow((page) => page.click('main button[type="submit"]'));
  await checkFirstScreen(tab);
  await tab.checkShape();
  await tab.checkBothSchemes();
  await checkThreeClicks(tab);
  await checkHistory(tab);
  await checkArranged(tab);
  await checkQueue(tab);
}

const browser = await launch();
try {
  await look(browser);
} catch (error) {
  findings.add(`the look cannot go on: ${error.stack}`);
} finally {
  await browser.close();
}
for (const finding of findings) console.log(`FOUND ${finding}`);
console.log(`glance: ${findings.size === 0 ? 'passed' : 'FAILED'}: the first screen over ${runs} runs`);
process.exitCode = findings.size === 0 ? 0 : 1;
