// Keeps the comparison fresh: it is asked for again and again, and shown where it says something new.
const EVERY_MS = 2000;

async function look() {
  const answer = await fetch('/parity');
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const [fresh, shown] = [page.getElementById('parity'), document.getElementById('parity')];
  if (fresh.innerHTML === shown.innerHTML) return;
  const wide = shown.querySelector('.wide')?.scrollLeft ?? 0;
  const hadFocus = shown.contains(document.activeElement);
  shown.replaceChildren(...fresh.childNodes);
  const region = shown.querySelector('.wide');
  if (region) region.scrollLeft = wide;
  if (hadFocus) region?.focus();
}

function old() {
  const verdict = document.getElementById('verdict');
  verdict.className = 'verdict open';
  verdict.dataset.verdict = 'unknown';
  verdict.textContent = 'The server does not answer: what stands below is old';
}

async function go() {
  await look().catch(old);
  setTimeout(go, EVERY_MS);
}

setTimeout(go, EVERY_MS);
