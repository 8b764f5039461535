'use strict';
// What every page of Weft shares: colours, figures in words, panels, sortable tables. Names come from files, so text enters by textContent only.
const root = document.documentElement;
addEventListener('error', e => { root.dataset.error = e.message; });
const data = JSON.parse(document.getElementById('data').textContent);
const main = document.getElementById('main');
const prefers = matchMedia('(prefers-color-scheme: dark)');
const asked = () => ['#dark', '#light'].includes(location.hash) ? location.hash.slice(1) : null;
root.dataset.theme = asked() || (prefers.matches ? 'dark' : 'light');

const colour = name => getComputedStyle(root).getPropertyValue('--' + name).trim();
const number = (x, digits = 4) => x === null || x === undefined ? '–' : Number.isInteger(x) ? x.toLocaleString('en') : Number(x.toPrecision(digits)).toLocaleString('en', { maximumSignificantDigits: digits });
const percent = x => x === null || x === undefined ? '–' : (100 * x).toFixed(1) + ' %';
const scaled = (x, unit) => {
  if (x === null || x === undefined) return '–';
  const steps = [[1, ''], [1e-3, 'm'], [1e-6, 'µ'], [1e-9, 'n'], [1e-12, 'p']];
  const step = steps.find(s => Math.abs(x) >= s[0]) || steps[0];
  return number(x / step[0]) + ' ' + step[1] + unit;
};

function element(tag, parent, text, kind) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (kind) e.className = kind;
  if (parent) parent.append(e);
  return e;
}

function panel(title, note, wide) {
  const section = element('section', main, undefined, wide ? 'wide' : '');
  element('h2', section, title);
  if (note) element('p', section, note, 'note');
  return section;
}

// Charts are made by functions, so that they can be made again when the colours change.
const charts = [];
function chart(section, height, make) {
  const box = element('div', section, undefined, 'chart');
  box.style.height = height + 'px';
  const canvas = element('canvas', box);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', section.querySelector('h2').textContent);
  charts.push({ canvas, make, drawn: null });
}

function draw() {
  Chart.defaults.color = colour('text');
  Chart.defaults.borderColor = colour('line');
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  for (const c of charts) {
    if (c.drawn) c.drawn.destroy();
    c.drawn = new Chart(c.canvas, c.make());
  }
  root.dataset.charts = charts.length;
}

function paint(theme) { root.dataset.theme = theme; draw(); }
document.getElementById('theme').addEventListener('click', () => paint(root.dataset.theme === 'dark' ? 'light' : 'dark'));
prefers.addEventListener('change', () => { if (!asked()) paint(prefers.matches ? 'dark' : 'light'); });

// The first 500 rows of an order are shown: a browser is slow with tens of thousands.
// columns: [{title, value(row), text(row), words}]. A click on a head sorts by its value: largest first, words from a to z.
function table(section, rows, columns) {
  const t = element('table', element('div', section, undefined, 'scroll'));
  const head = element('tr', element('thead', t)), body = element('tbody', t);
  const fill = sorted => body.replaceChildren(...sorted.slice(0, 500).map(row => {
    const tr = element('tr');
    for (const c of columns) {
      const td = element('td', tr, c.text(row), c.words ? 'words' : '');
      if (c.words) td.title = c.text(row);
    }
    return tr;
  }));
  const sort = (c, th) => {
    const down = th.getAttribute('aria-sort') ? th.getAttribute('aria-sort') === 'ascending' : !c.words;
    for (const other of head.children) other.removeAttribute('aria-sort');
    th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const missing = v => v === null || v === undefined; // last, either way
    fill([...rows].sort((a, b) => {
      const x = c.value(a), y = c.value(b);
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    }));
  };
  for (const c of columns) {
    const th = element('th', head, c.title, c.words ? 'words' : '');
    th.tabIndex = 0;
    th.addEventListener('click', () => sort(c, th));
    th.addEventListener('keydown', e => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); sort(c, th); } });
  }
  fill(rows);
}
