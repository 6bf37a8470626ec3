// Walks through a run by itself: the next bar again and again, as fast as is asked for.
const frame = document.getElementById('replay');
const bar = document.createElement('div');
bar.className = 'filter';
bar.innerHTML = '<button type="button" id="play">Play</button><label for="speed">Bars a second</label>' +
  '<select id="speed"><option>1</option><option selected>2</option><option>4</option></select>';
frame.before(bar);
const play = document.getElementById('play');
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

async function next() {
  const moved = await go(`?at=${frame.dataset.position}&to=bar`).catch(() => false);
  if (timer === null) return;
  if (!moved) { stop(); return; }
  timer = setTimeout(next, 1000 / Number(speed.value));
}

play.addEventListener('click', () => {
  if (timer !== null) { stop(); return; }
  play.textContent = 'Stop';
  timer = setTimeout(next, 0);
});

frame.addEventListener('click', (event) => {
  const link = event.target.closest('a.step');
  if (!link) return;
  event.preventDefault();
  stop();
  go(link.href).then(() => {
    document.getElementById('say').textContent = document.getElementById('clock').textContent;
  }).catch(() => location.assign(link.href));
});
