// Pages that look on while a run is measured: `node load.mjs MODULES URL COUNT`. A line `come` opens
// them, `go` closes them; each is answered with a line once it is done.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [MODULES, URL, COUNT] = process.argv.slice(2);
const require = createRequire(join(MODULES, 'from-here.js'));
const { chromium } = require('playwright-core');
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
let pages = [];

async function come() {
  pages = await Promise.all(Array.from({ length: Number(COUNT) }, async () => {
    // A context each, as different people have: six connections to a server is all that one has.
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(URL, { waitUntil: 'domcontentloaded' });
    await page.waitForFunction(() => document.querySelector('#filter').hidden === false);
    await page.evaluate(() => {
      window.moves = 0;
      new MutationObserver(() => { window.moves += 1; }).observe(document.querySelector('#position'), { childList: true });
    });
    return page;
  }));
  return `${pages.length} pages in Chromium look on`;
}

async function go() {
  const moves = await Promise.all(pages.map((page) => page.evaluate(() => window.moves)));
  await Promise.all(pages.map((page) => page.context().close()));
  pages = [];
  return `pages moved ${Math.min(...moves)} to ${Math.max(...moves)} times`;
}

for await (const word of createInterface(process.stdin)) {
  console.log(await (word === 'come' ? come() : go()));
}
await browser.close();
