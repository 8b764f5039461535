// A store of sweeps: `data` holds its columns ({name, kind, unit, more}) and rows in their order.
const at = Object.fromEntries(data.columns.map((c, i) => [c.name, i]));
const metrics = data.columns.filter(c => c.kind === 'metric' && data.rows.some(r => r[at[c.name]] !== null));
const fields = data.columns.filter(c => c.kind === 'field');
const good = data.rows.filter(r => r[at.reason] === null);
const caseOf = r => `${r[at.network]}, batch ${r[at.batch]}`;
const cases = [...new Set(data.rows.map(caseOf))];
const columnOf = name => data.columns[at[name]];
const labelOf = c => c.unit ? `${c.name}, ${c.unit}` : c.name;
const machineOf = r => [`point ${r[at.point]}: ${r[at.machine]}`, ...fields.map(f => `${f.name} = ${number(r[at[f.name]])}`)];
const figure = (c, v) => ['s', 'J', 'W'].includes(c.unit) ? scaled(v, c.unit) : number(v);
// Decades apart, values are told apart on a logarithmic axis only.
const scaleOf = (c, rows) => {
  const values = rows.map(r => r[at[c.name]]).filter(v => v !== null);
  const wide = Math.min(...values) > 0 && Math.max(...values) > 20 * Math.min(...values);
  return { type: wide ? 'logarithmic' : 'linear', title: { display: true, text: labelOf(c) }, ticks: { callback: v => !wide || /^[125]/.test(v.toExponential()) ? figure(c, Number(v.toPrecision(6))) : '' } };
};
const better = (c, a, b) => c.more ? a > b : a < b;

document.querySelector('h1').textContent = data.name;
document.getElementById('about').textContent = `${number(data.rows.length)} points, ${number(data.rows.length - good.length)} of which could not be done; ` +
  (fields.length ? `they differ in ${fields.map(f => f.name).join(', ')}.` : 'one machine.');

function choice(parent, title, names, chosen) {
  const label = element('label', parent, title + ' '), select = element('select', label);
  for (const n of names) element('option', select, n).value = n;
  select.value = names.includes(chosen) ? chosen : names[0];
  select.addEventListener('change', () => update());
  return select;
}

// Rows that no other beats in both: sorted by the first, each better in the second than all before it.
function frontOf(rows, x, y) {
  const usable = rows.filter(r => r[at[x.name]] !== null && r[at[y.name]] !== null);
  const key = (r, c) => r[at[c.name]] * (c.more ? -1 : 1);
  let best = Infinity;
  return usable.sort((a, b) => key(a, x) - key(b, x) || key(a, y) - key(b, y)).filter(r => key(r, y) < best && ((best = key(r, y)), true));
}

const bar = element('section', main, undefined, 'wide choices');
const pick = choice(bar, 'network', cases, cases[0]);
const names = metrics.map(m => m.name);
const pickX = choice(bar, 'across', names, 'latency'), pickY = choice(bar, 'up', names, 'energy');
if (pickX.value === pickY.value) pickY.value = names[1] || names[0];
const shown = () => good.filter(r => caseOf(r) === pick.value);

const front = panel('Pareto front', 'A dot a machine. On the line lie those that no other beats in both; point at a dot for its machine.', true);
chart(front, 460, () => {
  const x = columnOf(pickX.value), y = columnOf(pickY.value), rows = shown(), line = frontOf(rows, x, y);
  const dot = r => ({ x: r[at[x.name]], y: r[at[y.name]], row: r });
  root.dataset.front = line.length;
  return {
    data: { datasets: [
      { type: 'line', label: 'front', data: line.map(dot), borderColor: colour('c1'), backgroundColor: colour('c1'), borderWidth: 2, pointRadius: 5, stepped: false },
      { type: 'scatter', label: 'machines', data: rows.filter(r => r[at[x.name]] !== null && r[at[y.name]] !== null).map(dot), backgroundColor: colour('c3') + '88', pointRadius: 3.5 },
    ] },
    options: { scales: { x: scaleOf(x, rows), y: scaleOf(y, rows) },
      plugins: { tooltip: { callbacks: { label: c => [`${x.name} ${figure(x, c.raw.x)}, ${y.name} ${figure(y, c.raw.y)}`, ...machineOf(c.raw.row)] } } } },
  };
});

let drawHeat = () => {};
if (fields.length >= 2) {
  const section = panel('Over two axes', 'In each cell the best that any machine with both values reaches.', true);
  const choices = element('p', section, undefined, 'choices'), axes = fields.map(f => f.name);
  const rowsBy = choice(choices, 'down', axes, axes[0]), columnsBy = choice(choices, 'across', axes, axes[1]), metric = choice(choices, 'best', names, 'latency');
  const box = element('div', section, undefined, 'scroll');
  drawHeat = () => {
    const c = columnOf(metric.value), values = f => [...new Set(shown().map(r => r[at[f]]))].sort((a, b) => a - b), best = new Map();
    for (const r of shown()) {
      const key = r[at[rowsBy.value]] + '|' + r[at[columnsBy.value]], v = r[at[c.name]];
      if (v !== null && (!best.has(key) || better(c, v, best.get(key)))) best.set(key, v);
    }
    const all = [...best.values()], low = Math.min(...all), high = Math.max(...all);
    const t = element('table', undefined, undefined, 'heat'), head = element('tr', element('thead', t)), body = element('tbody', t);
    element('th', head, `${rowsBy.value} \\ ${columnsBy.value}`);
    for (const x of values(columnsBy.value)) element('th', head, number(x));
    for (const y of values(rowsBy.value)) {
      const tr = element('tr', body);
      element('th', tr, number(y));
      for (const x of values(columnsBy.value)) {
        const v = best.get(y + '|' + x), td = element('td', tr, figure(c, v));
        const share = high > low ? (v - low) / (high - low) : 0;
        if (v !== undefined) td.style.background = `color-mix(in srgb, ${colour('c0')} ${Math.round(75 * (c.more ? share : 1 - share))}%, transparent)`;
      }
    }
    box.replaceChildren(t);
  };
}

table(panel('Points', 'A click on a column sorts by it; the first 500 rows are shown.', true), data.rows, data.columns.map(c => ({
  title: c.name, words: ['network', 'machine', 'reason'].includes(c.name), value: r => r[at[c.name]],
  text: r => { const v = r[at[c.name]]; return typeof v === 'string' ? v : v === null && c.name === 'reason' ? '' : figure(c, v); },
})));

function update() { draw(); drawHeat(); }
update();
root.dataset.state = 'ready';
