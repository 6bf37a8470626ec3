// Walks through a run by itself: an event, a bar, a signal or a day after the other, as fast as is
// asked for, and by keys.
const frame = document.getElementById('replay');
const bar = document.createElement('div');
bar.className = 'filter';
bar.innerHTML = '<button type="button" id="play" aria-keyshortcuts="Space">Play</button>' +
  '<label for="step">A step is</label><select id="step"><option value="">an event</option>' +
  '<option value="bar" selected>a bar</option><option value="signal">a signal</option>' +
  '<option value="day">a day</option></select>' +
  '<label for="speed">Steps a second</label><select id="speed"><option>1</option>' +
  '<option selected>2</option><option>5</option><option>10</option><option>20</option></select>' +
  '<span class="hint">Keys: space plays, n and p step, s goes to the next signal</span>';
frame.before(bar);
const play = document.getElementById('play');
const step = document.getElementById('step');
const speed = document.getElementById('speed');
let timer = null;

async function go(href) {
  const answer = await fetch(href);
  if (!answer.ok) throw new Error(answer.status);
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('replay');
  frame.replaceChildren(...fresh.childNodes);
  const moved = frame.dataset.position !== fresh.dataset.position;
  Object.assign(frame.dataset, fresh.dataset);
  history.replaceState(null, '', `?at=${fresh.dataset.position}`);
  return moved;
}

function stop() {
  clearTimeout(timer);
  timer = null;
  play.textContent = 'Play';
}

const to = (way = '') => {
  const at = Number(frame.dataset.position);
  if (step.value) return `?at=${at}&to=${step.value}${way}`;
  return `?at=${way ? Math.max(0, at - 1) : at + 1}`;
};

async function next() {
  const begun = performance.now();
  const moved = await go(to()).catch(() => false);
  if (timer === null) return;
  if (!moved) { stop(); return; }
  timer = setTimeout(next, Math.max(0, 1000 / Number(speed.value) - (performance.now() - begun)));
}

function toggle() {
  if (timer !== null) { stop(); return; }
  play.textContent = 'Stop';
  timer = setTimeout(next, 0);
}
play.addEventListener('click', toggle);

const walk = (href) => {
  stop();
  return go(href).then(() => {
    document.getElementById('say').textContent = document.getElementById('clock').textContent;
  });
};

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea, button')) return;
  const keys = { ' ': toggle, n: () => walk(to()), p: () => walk(to('-before')), s: () => walk(`?at=${frame.dataset.position}&to=signal`) };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

frame.addEventListener('click', (event) => {
  const link = event.target.closest('a.step');
  if (!link) return;
  event.preventDefault();
  walk(link.href).catch(() => location.assign(link.href));
});
