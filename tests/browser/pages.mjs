// The scanner's pages in a real Chromium: `node pages.mjs LOCKSTEP MODULES OUT`. Plain asserts; the
// rest of a story that fails is not told. Screenshots of every page, dark and light, wide and narrow,
// are left in OUT. With more words, only stories whose names contain one of them are told.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const [LOCKSTEP, MODULES, OUT, ...ONLY] = process.argv.slice(2);
const require = createRequire(join(MODULES, 'from-here.js'));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const TATA = 'NSE_EQ|INE155A01022';
// Only so that nobody waits for ever: a server behind everybody else on a busy machine takes long.
const PATIENCE = 300_000;

const desk = mkdtempSync(join(tmpdir(), 'lockstep-browser-'));
mkdirSync(OUT, { recursive: true });
const children = new Set();

/** Starts Lockstep; it is ended with this script. */
function start(args, stdout = 'pipe') {
  const child = spawn(LOCKSTEP, args, { stdio: ['ignore', stdout, 'pipe'] });
  child.said = '';
  child.stderr.on('data', (text) => { child.said += text; });
  children.add(child);
  return child;
}

async function line(lines) {
  const { value, done } = await lines.next();
  if (done) throw new Error('the program ended before it said what was waited for');
  return value;
}

/** Serves a run; gives where. */
async function serve(run) {
  const child = start(['serve', run, '--port', '0']);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const url = await line(lines);
  return { url: url.replace(/\/scanner$/, ''), stop: () => child.kill('SIGKILL') };
}

const stories = [];
const story = (name, tell) => stories.push([name, tell]);
const world = {};

async function opened(options = {}) {
  const context = await world.browser.newContext({ viewport: { width: 1360, height: 820 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') page.problems.push(message.text()); });
  page.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1:|file:|data:|blob:)/.test(request.url())) page.problems.push(`fetched ${request.url()}`);
  });
  return { page, context };
}

const text = (page, selector) => page.locator(selector).first().innerText();
const until = (page, what, arg) => page.waitForFunction(what, arg, { timeout: PATIENCE });

// --- a finished run ----------------------------------------------------------------------------

story('the first paint is the whole table, under the band of a replay', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/`);
  assert.equal(await text(page, '.band'), 'REPLAY · history, no real orders');
  const rows = await page.locator('#rows tr').count();
  assert.equal(rows, 2);
  assert.match(await text(page, '#rows'), /TATAMOTORS/);
  assert.match(await text(page, '#clock'), /^2024-10-31 15:\d\d:00$/);
  assert.equal(await text(page, '#status'), 'ENDED');
  assert.equal(await page.locator('#controls').count(), 0, 'a finished run takes no requests');
  await until(page, () => document.querySelector('#filter').hidden === false);
  assert.equal(await page.locator('#stall').isVisible(), false);
  assert.deepEqual(page.problems, []);
  await context.close();
});

story('the filter and the keys choose rows, Enter opens a symbol, Esc comes back', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/scanner`);
  await until(page, () => document.querySelector('#filter').hidden === false);
  await page.keyboard.press('/');
  await page.keyboard.type('tata');
  assert.equal(await page.locator('#rows tr:visible').count(), 1);
  assert.equal(await text(page, '#shown'), '1 of 2');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#rows tr:visible').count(), 2);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('j');
  assert.match(await text(page, 'tr.picked'), /TATAMOTORS/);
  await page.keyboard.press('?');
  assert.equal(await page.locator('#help').evaluate((help) => help.open), true);
  await page.keyboard.press('Escape');
  const theme = () => page.locator('html').evaluate((html) => html.dataset.theme);
  await page.keyboard.press('t');
  const one = await theme();
  await page.keyboard.press('t');
  assert.deepEqual([one, await theme()].sort(), ['dark', 'light']);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/symbol/**');
  await page.keyboard.press('Escape');
  await page.waitForURL('**/scanner');
  await context.close();
});

story('a symbol has candles with its signals and says why', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/symbol/${encodeURIComponent(TATA)}`);
  await until(page, () => Number(document.querySelector('#chart').dataset.marks) > 5);
  assert.equal(await page.locator('#chart').getAttribute('data-error'), null);
  assert.ok(Number(await page.locator('#chart').getAttribute('data-bars')) > 400);
  assert.ok(await page.locator('#chart canvas').count() > 0);
  assert.equal(await page.locator('#why tbody tr').count(), 14);
  await page.locator('#signals-head + div a').first().click();
  await page.waitForURL('**bar=**');
  assert.match(await text(page, '#why-head'), /(BUY|SELL) (TREND|REVERSION)/);
  assert.match(await text(page, '#why'), /Nearest flip/);
  await until(page, () => document.querySelector('#chart').dataset.levels?.includes(' '));
  assert.ok(await page.locator('#misses-head + div tbody tr').count() > 3);
  assert.deepEqual(page.problems, []);
  await context.close();
});

story('without JavaScript the table, the events and the reasons are there', async () => {
  const { page, context } = await opened({ javaScriptEnabled: false });
  await page.goto(`${world.replay.url}/scanner`);
  assert.equal(await page.locator('#rows tr').count(), 2);
  assert.match(await text(page, 'noscript'), /Load it again/);
  await page.locator('#rows a').first().click();
  assert.equal(await page.locator('#why tbody tr').count(), 14);
  await page.goto(`${world.replay.url}/events?kind=signal`);
  assert.ok(await page.locator('tbody tr').count() > 5);
  await context.close();
});

story('a stale row turns grey and says so', async () => {
  const { page, context } = await opened();
  const state = await (await fetch(`${world.replay.url}/api/v1/state`)).json();
  const rows = state.state.rows.map((row, place) => ({ ...row, is_stale: place === 0, age_seconds: 3_000 }));
  const data = JSON.stringify({ ...state.state, journal: 'following', parity: 'same', rows, events: [] });
  const body = `event: state\nid: 1\ndata: ${data}\n\n`;
  await context.route('**/api/v1/stream', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
  // A stream that ends is asked for again, and meanwhile the state.
  const whole = { ...state, state: { ...state.state, rows } };
  await context.route('**/api/v1/state', (route) => route.fulfill({ json: whole }));
  await page.goto(`${world.replay.url}/scanner`);
  await page.waitForSelector('tr.stale');
  assert.match(await text(page, 'tr.stale .c-age'), /50:00 stale/);
  const colours = await page.evaluate(() => {
    const of = (selector) => getComputedStyle(document.querySelector(selector)).color;
    return [of('tr.stale .c-ltp'), of('tbody tr:not(.stale) .c-ltp'), of('.label')];
  });
  assert.notEqual(colours[0], colours[1]);
  assert.equal(colours[0], colours[2], 'the grey of what matters less');
  await context.close();
});

story('the core says in the background what was recorded, and the equity is drawn', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/parity`);
  await until(page, () => document.querySelector('#verdict').dataset.verdict === 'same');
  await page.goto(`${world.replay.url}/runs/${world.runId}`);
  await until(page, () => Number(document.querySelector('#equity').dataset.drawn) > 15);
  assert.deepEqual(page.problems, []);
  await context.close();
});

story('a replay steps forth and back, to signals and days, by links and keys, and walks by itself', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/replay/${world.runId}`);
  const at = () => page.locator('#replay').getAttribute('data-position').then(Number);
  const moved = (from) => until(page, (from) => Number(document.querySelector('#replay').dataset.position) !== from, from);
  const step = async (name) => {
    const from = await at();
    await page.locator('a.step', { hasText: name }).click();
    await moved(from);
    return at();
  };
  assert.equal(await at(), 0);
  const signal = await step('Next signal');
  assert.match(await text(page, '#rows'), /TRIGGERED/);
  const later = await step('Next signal');
  assert.ok(later > signal);
  assert.equal(await step('Signal before'), signal);
  assert.equal(await step('Next event'), signal + 1);
  const day = await step('Next day');
  assert.match(await text(page, '#clock'), /15:30:00$/);
  assert.ok(await step('Bar before') < day);
  await page.locator('body').click({ position: { x: 2, y: 2 } });
  const before = await at();
  await page.keyboard.press('s');
  await moved(before);
  assert.match(await text(page, '#rows'), /TRIGGERED/);
  await page.locator('#step').selectOption('bar');
  await page.locator('#speed').selectOption('20');
  const begun = await at();
  await page.locator('#play').click();
  await until(page, (begun) => Number(document.querySelector('#replay').dataset.position) > begun + 60, begun);
  await page.locator('#play').click();
  assert.equal(await text(page, '#play'), 'Play');
  assert.deepEqual(page.problems, []);
  await context.close();
});

story('events are filtered by kind, symbol and time, and paged', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.replay.url}/events`);
  await page.locator('#kind').selectOption('bar');
  await page.locator('#key').selectOption(TATA);
  await page.locator('#from').fill('2024-10-08T10:00');
  await page.locator('#to').fill('2024-10-08T10:05');
  await page.locator('form.filter button').click();
  await page.waitForURL('**kind=bar**');
  assert.equal(await page.locator('tbody tr').count(), 5);
  assert.match(await text(page, 'tbody'), /2024-10-08 10:04:00/);
  await page.goto(`${world.replay.url}/events?kind=signal&limit=5`);
  const first = await page.locator('tbody th').allInnerTexts();
  await page.locator('a[rel="next"]').click();
  await page.waitForURL('**before=**');
  const older = await page.locator('tbody th').allInnerTexts();
  assert.equal(older.length, 5);
  assert.ok(Number(older[0]) < Number(first[4]));
  await context.close();
});

story('parity is green once it is computed, and turns red while somebody looks', async () => {
  const out = join(desk, 'planted', 'live-planted');
  const plant = join(dirname(LOCKSTEP), 'examples', 'plant');
  const child = spawn(plant, [join(desk, 'runs', world.runId), out], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.match(await line(lines), /^ready/);
  world.planted = await serve(out);
  const { page, context } = await opened();
  const scanner = await context.newPage();
  await page.goto(`${world.planted.url}/parity`);
  await scanner.goto(`${world.planted.url}/scanner`);
  await until(page, () => document.querySelector('#verdict').dataset.verdict === 'same');
  await until(scanner, () => document.querySelector('#parity-word').dataset.parity === 'same');
  assert.ok(await page.locator('td.slot.same').count() > 2);
  assert.ok(await page.locator('td.slot.not-yet').count() > 0, 'the day is not over');
  assert.equal(await page.locator('td.slot.differs').count(), 0);
  await page.screenshot({ path: join(OUT, 'parity-green.png') });
  child.stdin.write('go on\n');
  assert.equal(await line(lines), 'planted');
  await until(page, () => document.querySelector('#verdict').dataset.verdict === 'differs');
  const red = page.locator('td.slot.differs');
  assert.equal(await red.count(), 1, 'only the bar of the signal differs');
  const ground = await red.evaluate((cell) => getComputedStyle(cell).backgroundColor);
  assert.equal(ground, 'rgb(179, 38, 30)');
  assert.match(await text(page, '#parity dl'), /Recorded[\s\S]*signal[\s\S]*Derived[\s\S]*signal/);
  assert.equal(await page.locator('#parity mark').count(), 2, 'the quantity, as recorded and as derived');
  await until(scanner, () => document.querySelector('#parity-word').dataset.parity === 'differs');
  assert.deepEqual([page.problems, scanner.problems ?? []], [[], []]);
  await context.close();
});

const PAGES = () => [
  ['scanner', world.replay.url + '/scanner'],
  ['symbol', `${world.replay.url}/symbol/${encodeURIComponent(TATA)}`],
  ['events', `${world.replay.url}/events`],
  ['runs', `${world.replay.url}/runs`],
  ['run', `${world.replay.url}/runs/${world.runId}`],
  ['replay', `${world.replay.url}/replay/${world.runId}?at=0&to=signal`],
  ['parity', `${world.replay.url}/parity`],
  ['health', `${world.replay.url}/health`],
  ['paper', `${world.paper.url}/scanner`],
  ['paper-symbol', `${world.paper.url}/symbol/${encodeURIComponent(TATA)}`],
  ...(world.planted ? [['parity-red', `${world.planted.url}/parity`]] : []),
];

story('no page has a serious fault for those who see or point badly, dark or light, wide or narrow', async () => {
  for (const [colorScheme, width] of [['dark', 1280], ['light', 1280], ['dark', 360], ['light', 360]]) {
    const { page, context } = await opened({ colorScheme, viewport: { width, height: 820 } });
    for (const [name, url] of PAGES()) {
      await page.goto(url);
      if (name.endsWith('symbol')) await until(page, () => document.querySelector('#chart').dataset.marks);
      if (name === 'paper') await until(page, () => document.querySelector('#controls').hidden === false);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} wide`);
      await page.screenshot({ path: join(OUT, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run());
      const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const told = bad.map((one) => `${name} ${colorScheme}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
      assert.deepEqual(told, []);
    }
    await context.close();
  }
});

// --- a run that is being written ---------------------------------------------------------------

/** Lets the live run go on until it says such a line; it waits at its stdout. */
async function live(is) {
  for (;;) {
    const said = await line(world.tape);
    if (is(said)) return said;
  }
}

/** Lets it go on by more lines than wait between it and here. */
async function more() {
  for (let lines = 0; lines < 6_000; lines += 1) await line(world.tape);
}

story('a signal of a run under way appears without loading the page again', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.paper.url}/scanner`);
  assert.equal(await text(page, '.band'), 'PAPER · no real orders');
  // The list is short and a run may be ahead of who listens to it: whatever was in it counts.
  await page.evaluate(() => {
    window.seen = new Set();
    const note = (changes) => changes.forEach((change) => change.addedNodes.forEach((li) => window.seen.add(li.firstChild.textContent)));
    new MutationObserver(note).observe(document.querySelector('#latest'), { childList: true });
  });
  await more();
  const said = await live((said) => / signal /.test(said));
  const id = said.split(/[<\s]/)[0];
  await until(page, (id) => window.seen.has(id), id);
  const order = await page.locator('#latest .num').evaluateAll((nodes) => nodes.map((node) => Number(node.textContent)));
  assert.deepEqual(order, [...order].sort((a, b) => b - a), 'the newest is on top');
  assert.equal(await page.locator('#stall').isVisible(), false);
  assert.deepEqual(page.problems, []);
  await context.close();
});

story('the time to the next bar goes on between two words from the run', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.paper.url}/scanner`);
  // Two looks with another time and the same position: nothing was heard between them. The server
  // may still have to read what the run wrote before it came to wait.
  await until(page, () => {
    const [next, position] = ['#next', '#position'].map((it) => document.querySelector(it).textContent);
    const before = window.before;
    window.before = { next, position };
    const counts = before && / in \d+:\d\d$/.test(before.next) && / in \d+:\d\d$/.test(next);
    return counts && before.position === position && before.next !== next;
  });
  await context.close();
});

/** What was asked of the run, taken up or not. */
function asked() {
  const control = join(world.paperRun, 'control');
  const dirs = [control, join(control, 'done')].filter((dir) => existsSync(dir));
  return dirs.flatMap((dir) => readdirSync(dir)).filter((name) => name.endsWith('.json')).sort();
}

story('K kills by one key, on the page and not in a field', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.paper.url}/scanner`);
  await until(page, () => document.querySelector('#filter').hidden === false);
  await page.keyboard.press('/');
  await page.keyboard.press('Shift+K');
  assert.equal(await page.locator('#find').inputValue(), 'K');
  await page.keyboard.press('Escape');
  const before = asked().length;
  await page.keyboard.press('Shift+K');
  await until(page, () => /kill: asked, request/.test(document.querySelector('#asked').textContent));
  assert.equal(asked().length, before + 1);
  assert.match(asked().at(-1), /-kill\.json$/);
  await context.close();
});

story('when the stream is dead the page asks every two seconds and says so', async () => {
  const { page, context } = await opened();
  await context.route('**/api/v1/stream', (route) => route.abort());
  await page.goto(`${world.paper.url}/scanner`);
  await until(page, () => /stream is dead/.test(document.querySelector('#stall').textContent));
  assert.equal(await page.locator('#stall').isVisible(), true);
  const before = await text(page, '#position');
  await more();
  await until(page, (before) => document.querySelector('#position').textContent !== before, before);
  await context.unroute('**/api/v1/stream');
  await until(page, () => document.querySelector('#stall').hidden);
  await context.close();
});

story('the kill button asks the run, and a release has to be typed', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.paper.url}/scanner`);
  const before = asked().length;
  await page.locator('button[data-control="kill"]').click();
  await until(page, () => /kill: asked, request/.test(document.querySelector('#asked').textContent));
  assert.match(asked().at(-1), /-kill\.json$/);
  assert.equal(asked().length, before + 1);
  await page.locator('#release button').click();
  await until(page, () => /has to be confirmed/.test(document.querySelector('#asked').textContent));
  assert.equal(asked().length, before + 1);
  await page.locator('#release-word').fill('release');
  await page.locator('#release button').click();
  await until(page, () => /release: asked, request/.test(document.querySelector('#asked').textContent));
  assert.match(asked().at(-1), /-release\.json$/);
  await context.close();
});

story('a page elsewhere cannot press the button', async () => {
  const { page, context } = await opened();
  // The replay's server is another origin.
  await page.goto(`${world.replay.url}/scanner`);
  const before = asked().length;
  const status = await page.evaluate(async (url) => {
    try {
      const answer = await fetch(`${url}/api/v1/control/kill`, { method: 'POST', mode: 'no-cors', body: '{}' });
      return answer.type;
    } catch { return 'refused'; }
  }, world.paper.url);
  assert.ok(['opaque', 'refused'].includes(status), status);
  assert.equal(asked().length, before);
  await context.close();
});

story('when the server is gone the page says that what it shows is old', async () => {
  const { page, context } = await opened();
  await page.goto(`${world.paper.url}/scanner`);
  await until(page, () => document.querySelector('#filter').hidden === false);
  world.paper.stop();
  await until(page, () => /does not answer/.test(document.querySelector('#stall').textContent));
  await page.screenshot({ path: join(OUT, 'stalled.png') });
  await context.close();
});

// --- the page of a run, from a file ------------------------------------------------------------

story('the report opens from a file without a network, and all of it can be seen and read', async () => {
  const file = join(desk, 'report.html');
  execFileSync(LOCKSTEP, ['report', 'html', join(desk, 'runs', world.runId), '--out', file], { stdio: 'pipe' });
  for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['light', 360], ['dark', 360]]) {
    const { page, context } = await opened({ offline: true, colorScheme, viewport: { width, height: 800 } });
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`file://${file}`);
    assert.deepEqual(asked, [`file://${file}`], 'the page asks for itself and nothing else');
    const { wide, charts, scripts } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      charts: [...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect().width),
      scripts: [...document.scripts].filter((script) => script.type !== 'application/json').length,
    }));
    assert.equal(wide, 0, `${width}: the page scrolls sideways`);
    assert.ok(charts.length >= 2 && charts.every((drawn) => drawn > 200), String(charts));
    assert.equal(scripts, 0);
    const net = await text(page, '[data-path="/total/net"]');
    assert.match(net, /^₹ -?[\d,]+\.\d\d$/);
    await page.screenshot({ path: join(OUT, `report-${colorScheme}-${width}.png`), fullPage: width > 400 });
    await page.close();
    await context.close();
  }
  // What checks the page needs scripts of its own, which the page forbids: it is read past that.
  const { page, context } = await opened({ bypassCSP: true, colorScheme: 'dark' });
  await page.goto(`file://${file}`);
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
  await context.close();
});

// --- all of it ---------------------------------------------------------------------------------

async function prepare() {
  const journal = join(desk, 'runs');
  // What the golden says of a part of the case does not matter here.
  const args = ['replay', '--from', '2024-10-01', '--to', '2024-10-31', '--journal', journal];
  execFileSync(LOCKSTEP, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  world.runId = readdirSync(journal)[0];
  world.replay = await serve(join(journal, world.runId));

  const paper = join(desk, 'paper');
  const run = start(['live', '--feed', 'sim:sample', '--journal', paper, '--format', 'tape']);
  world.tape = createInterface(run.stdout)[Symbol.asyncIterator]();
  await live((said) => / fill /.test(said));
  world.paperRun = join(paper, readdirSync(paper)[0]);
  world.paper = await serve(world.paperRun);
  world.profile = mkdtempSync(join(tmpdir(), 'lockstep-chromium-'));
  world.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
}

let failed = false;
try {
  await prepare();
  const told = stories.filter(([name]) => !ONLY.length || ONLY.some((word) => name.includes(word)));
  assert.ok(told.length > 0, 'no story has such a name');
  for (const [name, tell] of told) {
    const begun = performance.now();
    try {
      await tell();
      console.log(`ok   ${name} (${Math.round(performance.now() - begun)} ms)`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}\n${error.stack}`);
    }
  }
  console.log(`browser: ${told.length} of ${stories.length} stories ${failed ? 'told, not all as they should be' : 'told'}`);
} finally {
  await world.browser?.close();
  for (const child of children) child.kill('SIGKILL');
  for (const dir of [desk, world.profile]) if (dir && existsSync(dir)) rmSync(dir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
