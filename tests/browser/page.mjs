// One page in a real browser, and what is demanded of every page.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** How long a page may take on a busy machine, in milliseconds. */
const PATIENCE = 120_000;

/** Whether a header tells the browser to load the page again. */
const isRefresh = ({ name }) => name.toLowerCase() === 'refresh';

/** How many pixels of a long page a picture holds. */
const PICTURE_HEIGHT_MAX = 3000;

/** What can be operated, wherever it is visible. */
const OPERABLE = 'a[href], button, input:not([type="hidden"]), select, textarea, summary, [tabindex="0"]';

/** A tab of a width and a colour scheme. Everything that it does wrong becomes a finding. */
export class Tab {
  #page;
  #origin;
  #findings;
  #where = 'before the first page';
  #refusalExpected = false;
  width;
  scheme = 'light';

  static async open(context, origin, width, findings) {
    const tab = new Tab();
    // A window of its own: a tab behind another one is not painted, and cannot be clicked.
    const page = await context.newPage({ type: 'window' });
    tab.#page = page;
    tab.#origin = origin;
    tab.#findings = findings;
    tab.width = width;
    await page.setViewport({ width, height: 900, isMobile: width < 600, hasTouch: width < 600 });
    page.setDefaultTimeout(PATIENCE);
    await tab.paint('light');
    await tab.#listen();
    await tab.#keepStill();
    return tab;
  }

  /**
   * A page that looks again by itself is not let do so: on a busy machine it would in the middle of a check, which then
   * has lost what it looked at. It says so all the same.
   */
  async #keepStill() {
    const session = await this.#page.createCDPSession();
    session.on('Fetch.requestPaused', ({ requestId, responseStatusCode: responseCode, responseHeaders }) => {
      const looksAgain = responseHeaders?.some(isRefresh);
      const instead = looksAgain ? { responseCode, responseHeaders: responseHeaders.filter((it) => !isRefresh(it)) } : {};
      session.send('Fetch.continueResponse', { requestId, ...instead }).catch((error) => this.fault('browser', String(error)));
    });
    await session.send('Fetch.enable', { patterns: [{ resourceType: 'Document', requestStage: 'Response' }] });
  }

  async #listen() {
    const page = this.#page;
    page.on('console', (message) => {
      const text = message.text();
      const isRefusal = text.startsWith('Failed to load resource: the server responded with a status of 4');
      const isHint = message.type() === 'verbose';
      if (!isHint && !(isRefusal && this.#refusalExpected)) this.fault('console', `${message.type()}: ${text}`);
    });
    page.on('pageerror', (error) => this.fault('script', String(error)));
    page.on('dialog', (dialog) => {
      this.fault('dialog', dialog.message());
      dialog.dismiss();
    });
    page.on('request', (request) => {
      const isOurs = new URL(request.url()).origin === this.#origin;
      this.expect(isOurs, 'request', `asks elsewhere for ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 500) this.fault('status', `${response.status()} of ${response.url()}`);
    });
    await page.exposeFunction('tellOfViolation', (text) => this.fault('content security policy', text));
    await page.evaluateOnNewDocument(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.tellOfViolation(`${event.effectiveDirective} refused ${event.blockedURI} (${event.sample})`);
      });
    });
    const session = await page.createCDPSession();
    session.on('Audits.issueAdded', ({ issue }) => {
      if (!(this.#refusalExpected && issue.code === 'GenericIssue'))
        this.fault('browser audit', `${issue.code}: ${JSON.stringify(issue.details).slice(0, 300)}`);
    });
    await session.send('Audits.enable');
    await session.send('Emulation.setFocusEmulationEnabled', { enabled: true });
  }

  /** Notes that something is wrong here. */
  fault(rule, text) {
    this.#findings.add(`${this.#where} at ${this.width} px, ${this.scheme}: ${rule}: ${text}`);
  }

  /** Notes it if `holds` does not. */
  expect(holds, rule, text) {
    if (!holds) this.fault(rule, text);
  }

  async paint(scheme) {
    this.scheme = scheme;
    await this.#page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  }

  async setScripts(areOn) {
    await this.#page.setJavaScriptEnabled(areOn);
  }

  get path() {
    const { pathname, search } = new URL(this.#page.url());
    return pathname + search;
  }

  /** Goes to a page, which must answer with `status`. */
  async go(path, status = 200) {
    this.#where = path;
    this.#refusalExpected = status >= 400;
    const response = await this.#page.goto(this.#origin + path, { waitUntil: 'load' });
    this.expect(response.status() === status, 'status', `${response.status()} instead of ${status}`);
  }

  /** Does what leads to another page, and waits for that. */
  async follow(act, status = 200) {
    this.#refusalExpected = status >= 400;
    const [response] = await Promise.all([this.#page.waitForNavigation({ waitUntil: 'load' }), act(this.#page)]);
    this.#where = this.path;
    this.expect(response.status() === status, 'status', `${response.status()} instead of ${status}`);
  }

  /** Follows the first link of a selector. */
  async followLink(selector) {
    const link = await this.#page.$(selector);
    if (!link) {
      this.fault('link', `there is no ${selector}`);
      return;
    }
    await this.follow(() => link.click());
  }

  async fill(selector, text) {
    await this.#page.type(selector, text);
  }

  async choose(selector, value) {
    await this.#page.select(selector, value);
  }

  async click(selector) {
    await this.#page.click(selector);
  }

  /** Opens what is folded away, with the keyboard, and says how much that was. */
  async unfold() {
    const summaries = await this.#page.$$('details:not([open]) > summary');
    for (const summary of summaries) {
      await summary.focus();
      await this.#page.keyboard.press('Enter');
    }
    const folded = await this.#page.$$('details:not([open])');
    this.expect(folded.length === 0, 'details', 'cannot be opened with the keyboard');
    return summaries.length;
  }

  evaluate(script, ...given) {
    return this.#page.evaluate(script, ...given);
  }

  /** All text of the page's main part, what is folded away included, with single spaces. */
  text() {
    return this.#page.evaluate(() => document.querySelector('main').textContent.replace(/\s+/g, ' ').trim());
  }

  /** The text that is visible. */
  visibleText() {
    return this.#page.evaluate(() => document.body.innerText.replace(/\s+/g, ' ').trim());
  }

  async says(...texts) {
    const text = await this.text();
    for (const expected of texts) {
      const wanted = expected.replace(/\s+/g, ' ').trim();
      this.expect(text.includes(wanted), 'text', `the page does not say: ${wanted}`);
    }
  }

  /** What costs little and is demanded of every page that is ever visited. */
  async checkShape() {
    const shape = await this.#page.evaluate(() => {
      const root = document.scrollingElement;
      const scrolls = (element) => {
        for (let it = element; it; it = it.parentElement) {
          const { overflowX, textOverflow } = getComputedStyle(it);
          if (['auto', 'scroll'].includes(overflowX) || textOverflow === 'ellipsis') return true;
        }
        return false;
      };
      const tooWide = [...document.body.querySelectorAll('*')]
        .filter((it) => it.checkVisibility() && it.getBoundingClientRect().right > root.clientWidth + 0.5)
        .filter((it) => !scrolls(it));
      const name = (it) => `${it.tagName.toLowerCase()}${it.id && `#${it.id}`}${it.className && `.${it.className}`}`;
      return {
        width: innerWidth,
        overflow: root.scrollWidth - root.clientWidth,
        tooWide: tooWide.slice(0, 3).map(name),
        // Over what stands beside it.
        crossing: [...document.querySelectorAll('td, th, .card')]
          .filter((it) => it.checkVisibility() && it.scrollWidth > it.clientWidth + 1 && !scrolls(it))
          .slice(0, 3)
          .map((it) => `${name(it)} "${it.textContent.trim().slice(0, 40)}"`),
        scripts: document.scripts.length,
        styled: document.querySelectorAll('[style], style').length,
        listening: [...document.querySelectorAll('*')].filter((it) =>
          it.getAttributeNames().some((attribute) => attribute.startsWith('on')),
        ).length,
        titles: document.title.trim().length,
        images: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).length,
        boundary: /do(es)? not prove/.test(document.body.textContent),
      };
    });
    const wide = shape.overflow > 0 || shape.tooWide.length > 0;
    this.expect(!wide, 'width', `${shape.overflow} px too wide: ${shape.tooWide.join(', ')}`);
    this.expect(shape.crossing.length === 0, 'width', `over its edge: ${shape.crossing.join(', ')}`);
    this.expect(shape.width === this.width, 'viewport', `the page is laid out for ${shape.width} px`);
    this.expect(shape.scripts === 0, 'script', 'there are scripts');
    this.expect(shape.listening === 0, 'script', 'there are event attributes');
    this.expect(shape.styled === 0, 'style', 'there are inline styles');
    this.expect(shape.titles > 0, 'title', 'there is no title');
    this.expect(shape.images === 0, 'image', 'an image is broken');
    this.expect(shape.boundary, 'claim boundary', 'nothing says what is not proven');
  }

  /** Every rule of axe-core that applies. Contrast that it cannot measure counts as wrong, save that of single marks. */
  async checkAccess() {
    if (!(await this.#page.evaluate(() => 'axe' in window))) await this.#page.evaluate(AXE);
    const { violations, incomplete } = await this.#page.evaluate(
      (tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations', 'incomplete'] }),
      AXE_TAGS,
    );
    const isMark = ({ any }) => any.some(({ data }) => ['shortTextContent', 'nonBmp'].includes(data?.messageKey));
    // What is cut off at the end of a cell lies over the next one as far as axe knows.
    const isCovered = ({ any, target }) =>
      any.some(({ data }) => data?.messageKey === 'bgOverlap') && /td:nth-child\(3\)$/.test(target.join(' '));
    // Dates that a narrow chart scrolls out of view cannot be measured; the first one is in view, and all are drawn alike.
    const isAway = ({ target }) => /\.axis-x > span:nth-child\([23]\)$/.test(target.join(' '));
    const unmeasured = incomplete
      .filter(({ id }) => id === 'color-contrast')
      .map((rule) => ({ ...rule, nodes: rule.nodes.filter((node) => !isMark(node) && !isCovered(node) && !isAway(node)) }))
      .filter(({ nodes }) => nodes.length > 0);
    for (const { id, help, nodes } of [...violations, ...unmeasured]) {
      const selectors = nodes.slice(0, 3).map(({ target }) => target.join(' '));
      this.fault(`axe ${id}`, `${help}: ${selectors.join(', ')}${nodes.length > 3 ? `, and ${nodes.length - 3} more` : ''}`);
    }
  }

  /** The same in light and dark. */
  async checkBothSchemes() {
    for (const scheme of ['dark', 'light']) {
      await this.paint(scheme);
      await this.checkAccess();
    }
  }

  /** What is left of the page on paper. */
  async checkPrint() {
    await this.#page.emulateMediaType('print');
    const found = await this.#page.evaluate(() => {
      const isShown = (selector) => [...document.querySelectorAll(selector)].some((it) => it.checkVisibility());
      const folded = [...document.querySelectorAll('details > :not(summary)')];
      return {
        product: document.querySelector('.print')?.innerText ?? '',
        controls: isShown('.top') || isShown('form') || isShown('main button'),
        folded: folded.filter((it) => it.matches(':not(form)') && it.getBoundingClientRect().height === 0 && it.textContent.trim()).length,
        asOf: isShown('footer time'),
        boundary: isShown('footer .boundary'),
      };
    });
    this.expect(found.product.includes('restore-reconciler') && found.product.includes(this.path), 'print', `names ${found.product}`);
    this.expect(!found.controls, 'print', 'shows what can only be operated');
    this.expect(found.folded === 0, 'print', `folds ${found.folded} parts away`);
    this.expect(found.asOf && found.boundary, 'print', 'lacks its moment or its boundary');
    await this.#page.emulateMediaType(null);
  }

  /** The heads of long tables stay in view. */
  async checkHeads() {
    const lost = await this.#page.evaluate(() => {
      const long = [...document.querySelectorAll('main table')].filter((it) => it.checkVisibility() && it.offsetHeight > 400);
      return long.filter((table) => {
        scrollTo(0, table.getBoundingClientRect().top + scrollY + 150);
        const { top } = table.querySelector('thead th').getBoundingClientRect();
        return scrollY > 0 && table.getBoundingClientRect().top < -20 && Math.abs(top) > 1;
      }).length;
    });
    this.expect(lost === 0, 'heads', `of ${lost} long tables scroll away`);
    const left = await this.#page.evaluate(() => {
      const tables = [...document.querySelectorAll('main table')].filter((it) => getComputedStyle(it).display === 'table');
      const numbers = tables.flatMap((it) => [...it.querySelectorAll('th.n, td.n')]);
      return numbers.filter((it) => getComputedStyle(it).textAlign !== 'right').length;
    });
    this.expect(left === 0, 'numbers', `in ${left} cells do not stand at the right`);
    await this.#page.evaluate(() => scrollTo(0, 0));
  }

  /** The skip link comes first and works, and everything operable is reached, in view and visibly focused. */
  async checkKeyboard() {
    const keyboard = this.#page.keyboard;
    await this.#page.evaluate(() => {
      document.activeElement?.blur();
      getSelection().removeAllRanges();
      scrollTo(0, 0);
    });
    await keyboard.press('Tab');
    const skip = await this.#page.evaluate(() => {
      const it = document.activeElement;
      const { left, top } = it.getBoundingClientRect();
      return { isSkip: it.matches('a.skip[href="#main"]'), isShown: left >= 0 && top >= 0 };
    });
    this.expect(skip.isSkip, 'keyboard', 'the first stop is not the skip link');
    this.expect(skip.isShown, 'keyboard', 'the skip link stays out of view');
    await keyboard.press('Enter');
    const jumped = await this.#page.evaluate(() => document.activeElement?.id);
    this.expect(jumped === 'main', 'keyboard', `the skip link leads to ${jumped || 'nothing'}`);
    await this.#walkByTab();
  }

  async #walkByTab() {
    const page = this.#page;
    const expected = await page.evaluate((operable) => {
      document.activeElement?.blur();
      const all = [...document.querySelectorAll(operable)];
      window.expectedStops = new Set(all.filter((it) => it.checkVisibility() && !it.disabled));
      window.dimStops = [];
      const name = (it) => `${it.tagName.toLowerCase()}${it.id && `#${it.id}`} "${it.textContent.trim().slice(0, 40)}"`;
      window.nameStop = name;
      document.addEventListener('focusin', ({ target }) => {
        window.expectedStops.delete(target);
        const { outlineStyle, outlineWidth } = getComputedStyle(target);
        const { left, right } = target.getBoundingClientRect();
        const isSeen = target.matches(':focus-visible') && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
        if (!isSeen || right <= 0 || left >= innerWidth) window.dimStops.push(name(target));
      });
      return window.expectedStops.size;
    }, OPERABLE);
    // Where the sequence starts depends on what was focused before, so two rounds reach everything.
    for (let stop = 0, left = expected; stop < 2 * expected + 10 && left > 0; stop += 1) {
      await page.keyboard.press('Tab');
      if (stop >= expected - 1) left = await page.evaluate(() => window.expectedStops.size);
    }
    const { unreached, dim } = await page.evaluate(() => ({
      unreached: [...window.expectedStops].map(window.nameStop),
      dim: [...new Set(window.dimStops)],
    }));
    this.expect(unreached.length === 0, 'keyboard', `cannot be reached: ${unreached.slice(0, 3).join(', ')}`);
    this.expect(dim.length === 0, 'keyboard', `focus cannot be seen on: ${dim.slice(0, 3).join(', ')}`);
  }

  /** Of the page down to `most` pixels. */
  async picture(file, most = PICTURE_HEIGHT_MAX) {
    const height = await this.#page.evaluate(() => document.documentElement.scrollHeight);
    const clip = { x: 0, y: 0, width: this.width, height: Math.min(height, most) };
    await this.#page.screenshot({ path: file, clip, captureBeyondViewport: true });
  }
}
