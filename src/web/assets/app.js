// What every page does: the theme before anything is painted, and the keys that mean the same everywhere.
'use strict';
(() => {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem('lockstep-theme'); } catch { return null; } };
  const chosen = stored();
  if (chosen === 'dark' || chosen === 'light') root.dataset.theme = chosen;

  const isLight = () => root.dataset.theme
    ? root.dataset.theme === 'light'
    : matchMedia('(prefers-color-scheme: light)').matches;

  function turn() {
    root.dataset.theme = isLight() ? 'dark' : 'light';
    try { localStorage.setItem('lockstep-theme', root.dataset.theme); } catch { /* it holds for this page */ }
    dispatchEvent(new Event('lockstep-theme'));
  }

  const isTyping = (event) => event.target.closest('input, select, textarea');

  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    button.hidden = false;
    button.addEventListener('click', turn);
    addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 't' && !isTyping(event)) turn();
      const back = document.getElementById('back');
      if (event.key === 'Escape' && back && !isTyping(event)) location.assign(back.href);
    });
  });
})();
