// Walks through a running console in a real browser, and fails where a page is not what it should be.
//
//   node walk.mjs ORIGIN PICTURES
//
// Environment: WALK_TOKEN sees everything and may ask for runs; WALK_TOKEN_WITHOUT_EVIDENCE may see runs only;
// WALK_TOKEN_OF_MANAGER may change the queue.
// ORIGIN shows the demonstration. Pictures of its pages land in PICTURES as page-width-scheme.png.
//
// Prints a line per finding: page, width, scheme, rule, selector or text. The last line is a summary.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { Tab } from './page.mjs';
import { States } from './states.mjs';

const WIDTHS = [390, 1440];
/** Pages whose first screen README and manual show, by the names of their pictures, light and dark. */
const SHOWN = { overview: 'overview', 'run-needs-review': 'run' };
const SHOWN_HEIGHT = 900;

/** How often a page that the worker may have changed is compared. */
const COMPARISONS_MAX = 5;

/** How many findings are printed: one mistake in a part of every page makes hundreds. */
const FINDINGS_SHOWN = 100;

const [origin, pictures] = process.argv.slice(2);
const token = process.env.WALK_TOKEN;
const tokenWithoutEvidence = process.env.WALK_TOKEN_WITHOUT_EVIDENCE;
const tokenOfManager = process.env.WALK_TOKEN_OF_MANAGER;
if (!origin || !pictures || !token || !tokenWithoutEvidence || !tokenOfManager) {
  console.error('usage: WALK_TOKEN=… WALK_TOKEN_WITHOUT_EVIDENCE=… WALK_TOKEN_OF_MANAGER=… node walk.mjs ORIGIN PICTURES');
  process.exit(2);
}

const findings = new Set();
const states = new States();
let visits = 0;

async function ask(path, bearer = token) {
  const answer = await fetch(origin + path, { headers: { authorization: `Bearer ${bearer}` } });
  if (!answer.ok) throw new Error(`${answer.status} of ${path}`);
  return answer.json();
}

/** Every entry of a list that has pages. */
async function askAll(path, entries) {
  const all = [];
  for (let next = path; next; ) {
    const page = await ask(next);
    all.push(...entries(page));
    next = page.next;
  }
  return all;
}

/** What there is to see: every run, explanation, environment and restore that the API knows of. */
async function survey() {
  const list = await askAll('/api/v1/runs?limit=200', (page) => page.runs);
  const runs = [];
  const explanations = [];
  for (const { run } of list) {
    runs.push(await ask(`/api/v1/runs/${run}`));
    explanations.push(await ask(`/api/v1/runs/${run}/explain`));
  }
  const environments = await askAll('/api/v1/posture', (page) => page.workspaces.flatMap((it) => it.environments));
  const ids = new Set(runs.flatMap(({ restore }) => (restore ? [restore.id] : [])));
  for (const { preparing, posture } of environments) {
    for (const id of [preparing, posture.latest_restore]) if (id) ids.add(id);
  }
  const listed = await askAll('/api/v1/restores?limit=200', (page) => page.restores);
  for (const { restore, kind } of listed) {
    ids.add(restore);
    states.see('RestoreKind', kind.state);
  }
  const restores = [];
  for (const id of ids) restores.push(await ask(`/api/v1/restores/${id}/gates`));
  return { runs, explanations, environments, restores };
}

/** The pages that are looked at closely: one of each kind and state, by name. */
function choosePages({ runs, explanations, restores }) {
  const pages = new Map([
    ['overview', '/'],
    ['runs', '/runs'],
    ['runs-filtered', '/runs?outcome=failed&younger_than=365d'],
    ['runs-none', '/runs?workspace=999999999'],
    ['restores', '/restores'],
    ['restores-why', '/restores?recovery_posture_reason=no_history&kind=preparing'],
    ['queue', '/queue'],
  ]);
  const first = (name, list, path, holds) => {
    const found = list.find(holds);
    if (found) pages.set(name.replaceAll('_', '-'), path(found));
    else findings.add(`${name}: nothing in the demonstration shows it`);
  };
  const run = ({ run }) => `/runs/${run}`;
  const explained = ({ run }) => `/runs/${run}/explain`;
  const restore = ({ restore }) => `/restores/${restore}`;
  for (const state of new Set(runs.flatMap(({ card }) => card.state ?? []))) {
    first(`run-${state}`, runs, run, ({ card }) => card.state === state);
  }
  first('run-untied', runs, run, (it) => !it.restore);
  first('run-with-items-in-trouble', runs, run, (it) => it.items?.exceptions.length > 0);
  first('evidence', runs, (it) => `${run(it)}/evidence`, (it) => it.evidence.snapshot?.is_complete);
  first('evidence-none', runs, (it) => `${run(it)}/evidence`, (it) => !it.evidence.snapshot);
  for (const change of new Set(explanations.map((it) => it.change))) {
    first(`explain-${change}`, explanations, explained, (it) => it.change === change);
  }
  first('restore-first-step', restores, restore, (it) => it.is_at_first_step);
  first('restore-later-step', restores, restore, (it) => isLater(it) && it.execution_available);
  first('restore-blocked', restores, restore, (it) => isLater(it) && it.gates.some(({ state }) => state === 'blocked'));
  first('restore-executed', restores, restore, (it) => it.is_executed);
  first('restore-mapping', restores, restore, (it) => wantsGroups(it) && it.groups.state === 'available');
  first('restore-empty-cache', restores, restore, (it) => wantsGroups(it) && it.groups.state === 'empty');
  return pages;
}

const isLater = (it) => !it.is_executed && !it.is_at_first_step;
const wantsGroups = (it) => !it.is_executed && it.mapping?.unresolved > 0;

async function logIn(tab, secret, status) {
  await tab.fill('#token', secret);
  await tab.follow((page) => page.click('main button[type="submit"]'), status);
}

/** From the login to the login: what an operator does on a day on which something is wrong. */
async function walkThrough(tab, context, survey) {
  await tab.go('/');
  tab.expect(tab.path === '/login', 'login', `leads to ${tab.path}`);
  await logIn(tab, 'rrt_no-such-token', 401);
  await tab.says('This token is not known');
  await inspect(tab, 'login-refused');
  await logIn(tab, token);
  tab.expect(tab.path === '/', 'login', `leads to ${tab.path}`);
  await checkCookie(tab, context);

  await tab.followLink('table.environments a[href^="/runs/"]');
  await tab.followLink('a[href$="/explain"]');
  await tab.says('Not saved.');
  const proven = survey.runs.find((run) => run.evidence.snapshot);
  await tab.go(`/runs/${proven.run}`);
  await tab.says('Operation proof', 'Post-run evidence', `${proven.legs.length} parts proven`);
  await tab.followLink('a[href$="/evidence"]');
  await tab.says(`Evidence of run ${proven.run}`);
  await tab.followLink('nav[aria-label="Main"] a[href="/queue"]');
  await tab.says('Last sweeps');
  await tab.followLink('nav[aria-label="Main"] a[href="/runs"]');
  await tab.followLink('main a[rel="next"]');
  tab.expect(/[?&]below=\d+/.test(tab.path), 'next page', `leads to ${tab.path}`);
  await tab.followLink('main a[rel="prev"]');
  tab.expect(/[?&]above=\d+/.test(tab.path), 'page before', `leads to ${tab.path}`);
  const [newest] = survey.runs;
  await tab.says(`${newest.run}`);
  await walkThroughFilters(tab, survey);
}

/** A form without scripts: what is chosen stays chosen, and the list holds what the API says. */
async function walkThroughFilters(tab, survey) {
  await tab.go('/runs');
  await tab.click('.filters summary');
  await tab.choose('#filter-state', 'needs_review');
  await tab.follow((page) => page.click('.filters button'));
  const shown = await tab.evaluate(() => [...document.querySelectorAll('tbody th a')].map((it) => it.textContent));
  const expected = survey.runs.filter(({ card, restore }) => restore && card.state === 'needs_review');
  const wanted = expected.map(({ run }) => String(run)).slice(0, 50);
  tab.expect(shown.length > 0 && shown.join() === wanted.join(), 'filter', `shows ${shown} instead of ${wanted}`);
  const kept = await tab.evaluate(() => document.querySelector('#filter-state').value);
  tab.expect(kept === 'needs_review', 'filter', `the form has forgotten its filter: ${kept}`);
}

async function checkCookie(tab, context) {
  const cookies = await context.cookies();
  const [cookie] = cookies;
  tab.expect(cookies.length === 1, 'cookie', `there are ${cookies.length}`);
  tab.expect(cookie?.httpOnly && cookie.sameSite === 'Strict', 'cookie', `is open: ${JSON.stringify(cookie)}`);
  tab.expect(!cookie?.value.includes(token), 'cookie', 'holds the token');
}

/** A run is asked for, the way out is taken, and what lies behind the login is shut again. */
async function walkOut(tab, context, survey) {
  const open = survey.runs.find(({ status }) => status === 'running');
  await tab.go(`/runs/${open.run}`);
  await tab.follow((page) => page.click(`form[action="/runs/${open.run}/reconcile"] button`));
  tab.expect(tab.path === `/runs/${open.run}`, 'asking', `leads to ${tab.path}`);
  await tab.says('It waits for a worker; this page looks again in 5 s.');
  states.seeRun(await ask(`/api/v1/runs/${open.run}`));

  const [{ name, value }] = await context.cookies();
  await tab.follow((page) => page.click('form[action="/logout"] button'));
  tab.expect(tab.path.startsWith('/login'), 'logout', `leads to ${tab.path}`);
  const late = await fetch(`${origin}/runs`, { headers: { cookie: `${name}=${value}` }, redirect: 'manual' });
  tab.expect(late.status === 303, 'logout', `the ended session still gets ${late.status}`);
  await tab.go('/runs?undecided=true');
  tab.expect(tab.path === '/login?next=%2Fruns%3Fundecided%3Dtrue', 'login', `leads to ${tab.path}`);
  await logIn(tab, tokenWithoutEvidence);
  tab.expect(tab.path === '/runs?undecided=true', 'login', `leads back to ${tab.path}`);
}

/** A dead letter is retried with a reason, and the page says what became of that. */
async function retry(tab) {
  await tab.go('/login');
  await logIn(tab, tokenOfManager);
  await tab.go('/queue');
  await inspect(tab, 'queue-managed');
  const form = await tab.evaluate(() => document.querySelector('form[action$="/retry"]')?.getAttribute('action'));
  if (!form) return tab.fault('queue', 'there is no dead letter to retry');
  await tab.fill(`form[action="${form}"] input[name="reason"]`, 'memory was added');
  await tab.follow((page) => page.click(`form[action="${form}"] button:not([formaction])`));
  const notice = await tab.evaluate(() => document.querySelector('main [role="status"]')?.innerText ?? '');
  tab.expect(/retried by prober: it starts over; reason: memory was added/.test(notice), 'queue', `says: ${notice}`);
}

/** Everything that is demanded of a page, in both schemes, and its picture. */
async function inspect(tab, name) {
  visits += 1;
  for (const scheme of ['light', 'dark']) {
    await tab.paint(scheme);
    await tab.checkShape();
    await tab.checkAccess();
    if (scheme === 'light') await tab.picture(join(pictures, `${name}-${tab.width}-${scheme}.png`));
    if (SHOWN[name] && tab.width > 600) {
      await tab.picture(join(pictures, `shown-${SHOWN[name]}-${scheme}.png`), SHOWN_HEIGHT);
    }
  }
  await tab.paint('light');
}

/** On runs only the diagnostics are folded away, and they look the same on all of them. */
const isUnfolded = (name) => name.startsWith('restore-') || name === 'run-needs-review';

/** What a page shows before anybody scrolls, by its name. */
const FIRST_SCREENS = {
  overview: { selector: 'section:has(> #attention)', wide: 1 },
  runs: { selector: 'table.runs tbody tr', wide: 16, narrow: 1 },
};

/** Who works is said first, however much waits. */
async function checkWorkers(tab) {
  const bottom = await tab.evaluate(() => document.querySelector('#workers').getBoundingClientRect().bottom);
  tab.expect(bottom < 300, 'workers', `stand at ${bottom} px`);
}

async function checkFirstScreen(tab, name) {
  if (name === 'queue' && tab.width > 600) await checkWorkers(tab);
  const wanted = FIRST_SCREENS[name];
  if (!wanted) return;
  const shown = await tab.evaluate((selector) => {
    scrollTo(0, 0);
    const all = [...document.querySelectorAll(selector)];
    return all.filter((it) => it.getBoundingClientRect().bottom <= innerHeight).length;
  }, wanted.selector);
  const least = tab.width > 600 ? wanted.wide : (wanted.narrow ?? 0);
  tab.expect(shown >= least, 'first screen', `shows ${shown} of ${least} ${wanted.selector}`);
}

/** Everything that the contract wants on the first screen of a restore: the last of it are its diagnostics, folded away. */
async function checkContract(tab) {
  const { bottom, names, isOpen } = await tab.evaluate(() => {
    scrollTo(0, 0);
    const fold = document.querySelector('.facts #diagnostics > summary');
    return {
      bottom: fold?.getBoundingClientRect().bottom ?? Infinity,
      names: [...document.querySelectorAll('.facts dt')].map((it) => it.textContent),
      isOpen: fold?.parentElement.open,
    };
  });
  for (const name of ['Operation proof', 'Post-run evidence', 'Result summary']) {
    tab.expect(names.includes(name), 'contract', `does not name: ${name}`);
  }
  tab.expect(isOpen === false, 'contract', 'has its diagnostics open, or none');
  if (tab.width > 600) tab.expect(bottom <= 900, 'contract', `ends at ${bottom} px`);
}

/** An environment in a line, its boundary once. */
async function checkEnvironments(tab) {
  const { heights, boundaries } = await tab.evaluate(() => ({
    heights: [...document.querySelectorAll('table.environments tbody tr')].map((it) => it.getBoundingClientRect().height),
    boundaries: document.querySelectorAll('.boundary').length,
  }));
  tab.expect(boundaries <= 3, 'claim boundary', `stands there ${boundaries} times`);
  const tall = Math.max(...heights);
  if (tab.width > 600) tab.expect(tall <= 50, 'environments', `one is ${tall} px high`);
}

async function inspectAll(tab, pages) {
  for (const [name, path] of pages) {
    await tab.go(path);
    await checkFirstScreen(tab, name);
    if (name === 'overview') await checkEnvironments(tab);
    await inspect(tab, name);
    if (tab.width > 600) {
      await tab.checkHeads();
      await tab.checkPrint();
      await tab.checkKeyboard();
    } else if (/^\/runs\/\d+$/.test(path)) {
      const bottom = await tab.evaluate(() => document.querySelector('#decision').getBoundingClientRect().bottom);
      tab.expect(bottom < 900, 'verdict', `ends at ${bottom} px`);
    }
    if (isUnfolded(name) && (await tab.unfold()) > 0) await inspect(tab, `${name}-opened`);
  }
  await tab.go('/runs/1', 404);
  await inspect(tab, 'problem');
}

/** Who has no pointer reads the moment of an age where the focus is in its line. */
async function checkMoments(tab) {
  await tab.go('/runs');
  const said = await tab.evaluate(() => {
    const line = document.querySelector('table.runs tbody tr');
    const shown = () => getComputedStyle(line.querySelector('time'), '::after').content;
    const before = shown();
    line.querySelector('a').focus();
    return { before, after: shown(), moment: line.querySelector('time').title };
  });
  const isSaid = said.before === 'none' && said.after.includes(said.moment) && /\d{4}-\d\d/.test(said.moment);
  tab.expect(isSaid, 'moments', `are said as ${JSON.stringify(said)}`);
}

/** Runs tasks on all tabs, each on whichever is free. */
async function spread(tabs, tasks) {
  const queue = [...tasks];
  await Promise.all(
    tabs.map(async (tab) => {
      for (let task = queue.shift(); task; task = queue.shift()) await task(tab);
    }),
  );
}

/** Every page there is, once and quickly, and whether it says what the API says. */
async function visitAll(tabs, { runs, explanations, environments, restores }) {
  const visit = (path, words) => async (tab) => {
    visits += 1;
    await tab.go(path);
    await tab.checkShape();
    await tab.says(...words.filter(Boolean));
    if (/^\/runs\/\d+$/.test(path)) await checkContract(tab);
  };
  const tasks = [
    ...runs.map((run) => visit(`/runs/${run.run}`, wordsOfRun(run))),
    ...runs.map((run) => visit(`/runs/${run.run}/evidence`, [run.evidence.state.label])),
    ...explanations.map((it) => visit(`/runs/${it.run}/explain`, [it.sentence, it.now.reason.sentence])),
    ...restores.map((restore) => visit(`/restores/${restore.restore}`, wordsOfRestore(restore))),
  ];
  await spread(tabs, tasks);
  await visitOverviews(tabs[0], environments);
  for (const run of runs) states.seeRun(run);
  for (const environment of environments) states.seeEnvironment(environment);
  for (const restore of restores) states.seeRestore(restore);
  for (const explanation of explanations) states.seeExplanation(explanation);
  const { needs_attention: needs } = await ask('/api/v1/posture');
  for (const cause of needs.causes) states.seeNeed(cause);
}

function wordsOfRun({ state, card, freshness, operation_proof: proof, evidence, legs, attention, timeline }) {
  const gaps = legs.flatMap((leg) => leg.gaps.flatMap((gap) => [gap.code, gap.sentence, gap.next_action]));
  const events = timeline.map(({ text }) => text);
  return [
    ...[state.label, state.reason, state.impact, state.next_action],
    ...[card.status, card.reason, card.impact, card.next_action.label],
    ...[freshness.label, proof.label, evidence.state.label, attention?.summary],
    ...gaps,
    ...events,
  ];
}

function wordsOfRestore({ card, gates, compact, execution, source, groups, mapping, is_executed: isExecuted, attention }) {
  const decision = [card.status, card.reason, card.impact, card.next_action.label];
  if (isExecuted) return [...decision, attention.summary];
  const states = gates.flatMap((gate) => [`${gate.state_label} ${gate.label}`, gate.sentence, gate.next_action]);
  const cache = mapping?.unresolved > 0 ? [groups.label] : [];
  return [...decision, compact, execution, source.label, source.summary, ...states, ...cache];
}

/** Page by page as its links lead, until every environment was seen. */
async function visitOverviews(tab, environments) {
  const left = new Map(environments.map((it) => [it.environment.id, it]));
  await tab.go('/');
  for (let more = true; more; ) {
    visits += 1;
    await tab.checkShape();
    const ids = await tab.evaluate(() => [...document.querySelectorAll('tr[id]')].map((it) => it.id));
    for (const id of ids) {
      const { environment, posture, backup } = left.get(Number(id.replace('environment-', ''))) ?? {};
      if (!environment) continue;
      left.delete(environment.id);
      await tab.says(environment.name, posture.label, posture.summary, backup.label);
    }
    more = await tab.evaluate(() => Boolean(document.querySelector('a[rel="next"]')));
    if (more) await tab.followLink('a[rel="next"]');
  }
  tab.expect(left.size === 0, 'overview', `does not show environments ${[...left.keys()].join(', ')}`);
}

/** What a page says. Ages go on between two readings, so they are left out. */
async function read(tab, path) {
  await tab.go(path);
  return (await tab.visibleText()).replace(/(\d+ \w+ )+ago|stood at \S+ \S+/g, '…');
}

/**
 * Without scripts a page looks the same. The worker goes on meanwhile, and what it does may come between the two
 * readings: such a page is read again, both ways. One that needs its scripts reads differently each time.
 */
async function compareWithoutScripts(tab, pages) {
  let left = [...pages];
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const withScripts = new Map();
    for (const [name, path] of left) withScripts.set(name, await read(tab, path));
    await tab.setScripts(false);
    const differing = [];
    for (const [name, path] of left) {
      const text = await read(tab, path);
      if (text.length > 0 && text === withScripts.get(name)) continue;
      if (attempt < COMPARISONS_MAX) differing.push([name, path]);
      else tab.fault('without scripts', `${name} reads differently: ${firstDifference(withScripts.get(name), text)}`);
    }
    await tab.setScripts(true);
    left = differing;
  }
}

/** Where two texts part, and what follows. */
function firstDifference(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const from = Math.max(0, at - 20);
  return `"${other.slice(from, at + 60)}" instead of "${one.slice(from, at + 60)}"`;
}

/** Whoever may not see evidence is not shown any. */
async function walkWithoutEvidence(tab, { runs }) {
  const { run, evidence } = runs.find((it) => it.evidence.snapshot && it.evidence.snapshot.id !== it.restore?.id);
  states.seeRun(await ask(`/api/v1/runs/${run}`, tokenWithoutEvidence));
  await tab.go(`/runs/${run}`);
  const text = await tab.text();
  tab.expect(!text.includes(String(evidence.snapshot.id)), 'evidence', `shows snapshot ${evidence.snapshot.id}`);
  await tab.says('Post-run evidence Unavailable');
  await inspect(tab, 'run-without-evidence');
}

async function walk(browser) {
  const began = Date.now();
  const progress = (what) => console.log(`${((Date.now() - began) / 1000).toFixed(1)} s: ${what}`);
  const [narrow, wide] = WIDTHS;
  const context = await browser.createBrowserContext();
  const found = await survey();
  progress(`${found.runs.length} runs, ${found.restores.length} restores, ${found.environments.length} environments`);
  const pages = choosePages(found);
  const tabs = [];
  for (const width of [narrow, wide, narrow, wide]) tabs.push(await Tab.open(context, origin, width, findings));
  for (const tab of tabs.slice(0, 2)) {
    await tab.go('/login');
    await inspect(tab, 'login');
  }
  await walkThrough(tabs[1], context, found);
  await checkMoments(tabs[1]);
  progress('walked from the login to the evidence, the queue and the list');
  await Promise.all([inspectAll(tabs[0], pages), inspectAll(tabs[1], pages)]);
  progress(`inspected ${pages.size} pages`);
  await compareWithoutScripts(tabs[2], pages);
  progress('compared them without scripts');
  await visitAll(tabs, found);
  progress('visited every page');
  await walkOut(tabs[0], context, found);
  await walkWithoutEvidence(tabs[0], found);
  progress('walked out');
  await retry(await Tab.open(await browser.createBrowserContext(), origin, wide, findings));
  progress('retried a dead letter');
  for (const missing of states.missing(await ask('/api/v1/openapi.json'))) findings.add(`never shown: ${missing}`);
}

mkdirSync(pictures, { recursive: true });
const browser = await launch();
try {
  await walk(browser);
} catch (error) {
  findings.add(`the walk cannot go on: ${error.stack}`);
} finally {
  await browser.close();
}
for (const finding of [...findings].slice(0, FINDINGS_SHOWN)) console.log(`FOUND ${finding}`);
if (findings.size > FINDINGS_SHOWN) console.log(`and ${findings.size - FINDINGS_SHOWN} more`);
const verdict = findings.size === 0 ? 'passed' : `FAILED with ${findings.size} findings`;
console.log(`walk: ${verdict}: ${visits} pages, ${states.size} states, in ${Math.round(process.uptime())} s`);
process.exitCode = findings.size === 0 ? 0 : 1;
