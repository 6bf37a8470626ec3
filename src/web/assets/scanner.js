// Keeps the table fresh: by the stream, and by asking every two seconds while the stream is dead.
const STREAM = '/api/v1/stream';
const STATE = '/api/v1/state';
const POLL_MS = 2000;
const SILENT_MS = 7000;
const IDLE_SECONDS = 90;

const $ = (id) => document.getElementById(id);
const el = (name, className, text) => {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

// --- words -------------------------------------------------------------------------------------

const grouped = (whole) => {
  const head = whole.slice(0, -3);
  const tail = whole.slice(-3);
  return head ? head.replace(/\B(?=(\d{2})+$)/g, ',') + ',' + tail : tail;
};
const rupees = (amount) => {
  const fixed = Math.abs(amount).toFixed(2);
  const [whole, part] = fixed.split('.');
  return (amount < 0 && fixed !== '0.00' ? '-' : '') + grouped(whole) + '.' + part;
};
const tone = (amount) => (amount > 0 ? 'num up' : amount < 0 ? 'num down' : 'num');
const pad = (number) => String(number).padStart(2, '0');
const until = (seconds) => {
  if (seconds === null || seconds === undefined) return '';
  return seconds < 3600 ? ` in ${Math.floor(seconds / 60)}:${pad(seconds % 60)}` : ` in ${Math.floor(seconds / 3600)} h`;
};

// --- rows --------------------------------------------------------------------------------------

function cell(className, ...content) {
  const td = el('td', `c-${className}`);
  td.append(...content);
  return td;
}

function rowOf(row) {
  const tr = el('tr');
  tr.dataset.key = row.key;
  tr.classList.toggle('stale', row.is_stale);
  const head = el('th', 'c-symbol');
  head.scope = 'row';
  const link = el('a', '', row.symbol);
  link.href = '/symbol/' + encodeURIComponent(row.key);
  head.append(link, el('span', 'key', row.key));
  const [arrow, way] = { BUY: ['▲', 'up'], SELL: ['▼', 'down'] }[row.bias] ?? ['–', 'flat'];
  const bar = [row.last_bar ? row.last_bar.slice(0, 16) : '–'];
  if (row.minutes && !row.is_complete) bar.push(' ', el('span', 'tag warn', `${row.minutes} min`));
  const age = [row.age_seconds === null ? '–' : `${Math.floor(row.age_seconds / 60)}:${pad(row.age_seconds % 60)}`];
  if (row.is_stale) age.push(' ', el('span', 'tag warn', 'stale'));
  tr.append(
    head,
    cell('strategy', row.strategy_id),
    cell('timeframe', row.timeframe),
    cell('bias', el('span', `bias ${way}`, `${arrow} ${row.bias}`)),
    cell('confidence num', row.confidence.toFixed(2)),
    cell('state', el('span', `tag ${row.signal_state}`, row.signal_state)),
    cell('status', el('span', `tag s-${row.status}`, row.status)),
    cell('bar', ...bar),
    cell('age', ...age),
    cell('ltp num', row.ltp === null ? '–' : rupees(row.ltp)),
    cell(`open ${tone(row.open_profit)}`, rupees(row.open_profit)),
    cell(`today ${tone(row.today)}`, rupees(row.today)),
    cell('signals num', String(row.signals_today)),
    cell('declined', row.declined ?? ''),
  );
  return tr;
}

const body = $('rows');
const rows = new Map([...body.rows].map((tr) => [tr.dataset.key, tr]));
const states = new Map();
let picked = null;

function say(text) { $('say').textContent = text; }

function show(list) {
  const spoken = [];
  for (const row of list) {
    const old = rows.get(row.key);
    const tr = rowOf(row);
    const before = states.get(row.key);
    if (before && before !== row.signal_state) {
      tr.classList.add('fresh');
      setTimeout(() => tr.classList.remove('fresh'), 4000);
      if (row.signal_state === 'TRIGGERED' || row.signal_state === 'IN_POSITION') {
        spoken.push(`${row.symbol}: ${row.bias} ${row.signal_state.replace('_', ' ').toLowerCase()}`);
      }
    }
    states.set(row.key, row.signal_state);
    if (old) {
      const link = document.activeElement;
      const hadFocus = link && old.contains(link);
      tr.hidden = old.hidden;
      tr.classList.toggle('picked', picked === row.key);
      old.replaceWith(tr);
      if (hadFocus) tr.querySelector('a').focus();
    } else {
      body.append(tr);
    }
    rows.set(row.key, tr);
  }
  if (spoken.length) say(spoken.slice(0, 4).join(', '));
  if (list.length) { $('empty')?.remove(); filter(); }
}

// --- the line of facts -------------------------------------------------------------------------

let position = -1;

function head(state) {
  position = state.position;
  $('clock').textContent = state.clock ?? '–';
  next = { bar: state.next_bar, seconds: state.next_bar_seconds, since: performance.now() };
  const feed = $('feed');
  feed.textContent = state.feed.state + (state.feed.lag_ms === null ? '' : ` · ${state.feed.lag_ms} ms`);
  feed.dataset.feed = state.feed.state;
  $('position').textContent = grouped(String(state.position));
  const status = $('status');
  status.textContent = state.status;
  status.dataset.status = state.status;
  isOpen = state.is_open;
  journal = state.journal;
  feedState = state.feed.state;
  parity(state.parity);
  count();
  warn();
}

function parity(word) {
  const shown = $('parity-word');
  if (!word || shown.dataset.parity === word) return;
  shown.dataset.parity = word;
  shown.textContent = word;
  if (word === 'differs' || word === 'broken') say(`Parity: ${word}`);
}

// Between two words from the run the time to the next bar goes on by this machine's clock. A replay
// stands between two words, and so does a market that is shut.
let next = { bar: null, seconds: null, since: 0 };

function count() {
  const runs = !isReplay && isOpen && journal === 'following' && next.seconds !== null;
  const passed = runs ? Math.floor((performance.now() - next.since) / 1000) : 0;
  const left = next.seconds === null ? null : Math.max(0, next.seconds - passed);
  const word = runs && left === 0 && passed > 0 ? ' due' : until(left);
  $('next').textContent = (next.bar ? next.bar.slice(11, 16) : '–') + word;
}
setInterval(count, 1000);

const address = (id) => id.split('.').map(Number);
const newer = (a, b) => {
  const [[seq, index = 0], [seqOf, indexOf = 0]] = [address(b), address(a)];
  return seq - seqOf || index - indexOf;
};

function latest(events) {
  const list = $('latest');
  const shown = new Map([...list.children].map((li) => [li.firstElementChild.textContent, li]));
  for (const event of events) {
    if (shown.has(event.id)) continue;
    const li = el('li');
    li.append(el('span', 'num', event.id), el('span', 'line', event.text.split(' atr=')[0]));
    shown.set(event.id, li);
  }
  if (shown.size === list.children.length) return;
  list.append(...[...shown].sort(([a], [b]) => newer(a, b)).map(([, li]) => li));
  while (list.children.length > 12) list.lastElementChild.remove();
}

// --- the stream, and what to do without it -----------------------------------------------------

const isReplay = document.documentElement.dataset.mode === 'replay';
let isOpen = false;
let journal = 'following';
let feedState = 'unknown';
let idle = 0;
let heard = performance.now();
let source = null;
let polling = null;
let pollFails = false;

function warn() {
  const banner = $('stall');
  const lines = [];
  if (pollFails) lines.push('The server does not answer. What you see is old.');
  else if (polling) lines.push('The stream is dead; asking every 2 s instead.');
  if (journal === 'broken') lines.push('The journal cannot be read on: see Health.');
  if (!isReplay && journal === 'following') {
    if (feedState === 'down') lines.push('The feed is down.');
    else if (isOpen && idle > IDLE_SECONDS) lines.push(`Nothing new for ${idle} s while the market is open: the feed may be dead.`);
  }
  banner.textContent = lines.join(' ');
  banner.hidden = lines.length === 0;
  banner.classList.toggle('dead', pollFails || feedState === 'down' || journal === 'broken');
}

function alive() {
  heard = performance.now();
  if (polling) { clearInterval(polling); polling = null; }
  pollFails = false;
  warn();
}

function listen() {
  source?.close();
  source = new EventSource(STREAM);
  source.addEventListener('state', (message) => {
    const state = JSON.parse(message.data);
    idle = 0;
    alive();
    show(state.rows);
    latest(state.events);
    head(state);
  });
  source.addEventListener('beat', (message) => {
    const beat = JSON.parse(message.data);
    idle = beat.idle_seconds;
    journal = beat.journal;
    parity(beat.parity);
    alive();
  });
  source.addEventListener('error', fallBack);
}

async function poll() {
  try {
    const answer = await fetch(STATE, { cache: 'no-cache', signal: AbortSignal.timeout(POLL_MS) });
    if (!answer.ok) throw new Error(answer.status);
    const { state, journal: word, parity: said } = await answer.json();
    pollFails = false;
    show(state.rows);
    head({ ...state, journal: word, parity: said });
  } catch {
    pollFails = true;
  }
  warn();
}

function fallBack() {
  if (polling) return;
  polling = setInterval(poll, POLL_MS);
  poll();
  warn();
}

setInterval(() => {
  if (performance.now() - heard < SILENT_MS) return;
  fallBack();
  // A stream that says nothing may still look open.
  if (source.readyState !== EventSource.CONNECTING) { heard = performance.now(); listen(); }
}, 1000);

// --- filter and keys ---------------------------------------------------------------------------

function filter() {
  const words = $('find').value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const strategy = $('strategy').value;
  let shown = 0;
  for (const tr of rows.values()) {
    const text = tr.textContent.toLowerCase();
    const fits = words.every((word) => text.includes(word)) &&
      (!strategy || tr.querySelector('.c-strategy').textContent === strategy);
    tr.hidden = !fits;
    shown += fits;
  }
  $('shown').textContent = shown === rows.size ? '' : `${shown} of ${rows.size}`;
}

function pick(step) {
  const visible = [...body.rows].filter((tr) => !tr.hidden);
  if (!visible.length) return;
  const at = visible.findIndex((tr) => tr.dataset.key === picked);
  const next = visible[Math.max(0, Math.min(visible.length - 1, at < 0 ? 0 : at + step))];
  body.querySelector('.picked')?.classList.remove('picked');
  picked = next.dataset.key;
  next.classList.add('picked');
  next.querySelector('a').focus();
  next.scrollIntoView({ block: 'nearest' });
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const typing = event.target.closest('input, select, textarea');
  if (event.key === 'Escape' && typing) { event.target.value = ''; filter(); event.target.blur(); return; }
  if (typing) return;
  const keys = {
    j: () => pick(1),
    k: () => pick(-1),
    '/': () => $('find').focus(),
    '?': () => $('help').showModal(),
    K: () => ask('kill', {}),
    Enter: () => {
      if (picked && !event.target.closest('a, button')) location.assign('/symbol/' + encodeURIComponent(picked));
      else return false;
    },
  };
  if (keys[event.key] && keys[event.key]() !== false) event.preventDefault();
});

// --- what can be asked of the run --------------------------------------------------------------

const token = document.querySelector('meta[name="lockstep-token"]')?.content;

async function ask(kind, wish) {
  if (!token || !$('controls')) return;
  const asked = $('asked');
  asked.textContent = `${kind}…`;
  try {
    const answer = await fetch(`/api/v1/control/${kind}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-lockstep-token': token },
      body: JSON.stringify({ reason: 'asked on the scanner page', ...wish }),
    });
    const said = await answer.json();
    asked.textContent = said.success ? `${kind}: asked, request ${said.request}` : said.error;
  } catch {
    asked.textContent = `${kind}: the server does not answer; use the command line`;
  }
}

if ($('controls') && token) {
  $('controls').hidden = false;
  for (const button of document.querySelectorAll('button[data-control]')) {
    if (button.type === 'button') button.addEventListener('click', () => ask(button.dataset.control, {}));
  }
  $('release').addEventListener('submit', (event) => {
    event.preventDefault();
    ask('release', { confirm: $('release-word').value.trim() });
    $('release-word').value = '';
  });
}

$('filter').hidden = false;
$('find').addEventListener('input', filter);
$('strategy').addEventListener('change', filter);
listen();
