// The report of one run: docs/report-schema.md says what `data` holds.
const kinds = [
  ['active', 'array active', 'c0'], ['weight_stall', 'weight stall', 'c1'], ['weight_shift', 'weight shift', 'c2'],
  ['raw', 'RAW stall', 'c3'], ['input', 'input stall', 'c4'], ['other', 'other', 'c5'],
];
const parts = [
  ['array', 'array', 'c0'], ['unified_buffer', 'unified buffer', 'c3'], ['accumulators', 'accumulators', 'c6'], ['weight_fifo', 'weight FIFO', 'c2'],
  ['vector', 'vector unit', 'c4'], ['dram', 'DRAM', 'c1'], ['link', 'link', 'c7'], ['rest', 'idle power, other area', 'c5'],
];
const changes = { dram: 'DRAM bandwidth', clock: 'clock', array: 'array side', accumulators: 'accumulator rows', link: 'link bandwidth', unified_buffer: 'unified buffer' };
const layers = data.layers.filter(l => l.cycles > 0); // a layer that became part of another takes none
const fields = data.machine_fields;

document.querySelector('h1').textContent = `${data.name} on ${data.machine}`;
document.getElementById('about').textContent =
  `${number(fields['array.rows'])} x ${number(fields['array.columns'])} cells at ${number(fields['clock.hz'] / 1e6)} MHz` +
  (data.format ? `, ${data.format}` : '') + `, batch ${number(data.batch)}, ${data.engine} engine, ` +
  (data.timing_only ? 'timing only' : `inputs: ${data.inputs}`) + `. Weft ${data.version}; docs/metrics.md defines every figure.`;

function tiles() {
  const box = element('section', main, undefined, 'wide tiles');
  const tile = (value, name) => { const t = element('div', box, undefined, 'tile'); element('b', t, value); element('span', t, name); };
  tile(scaled(data.seconds, 's'), `latency, ${number(data.cycles)} cycles`);
  tile(number(data.inferences_per_second), 'inferences a second');
  tile(number(data.tops), `TOPS, ${percent(data.share_of_peak)} of ${number(data.peak_tops)}`);
  if (data.roofline_ratio !== null) tile(number(data.roofline_ratio, 3), 'times the roofline\'s cycles' + (data.roofline_bound ? ', set by ' + data.roofline_bound : ''));
  if (data.mapping_ratio !== null) tile(number(data.mapping_ratio, 3), 'times the mapping bound');
  if (data.energy) {
    tile(scaled(data.energy.joules_per_inference, 'J'), `an inference (${data.energy.technology})`);
    tile(number(data.energy.watts) + ' W', `${number(data.energy.tops_per_watt)} TOPS/W`);
    tile(number(data.energy.total_mm2) + ' mm²', 'die');
  }
}

// TOPS = 2 x products a second: under the ridge 2 x intensity x bandwidth, beyond it the peak.
function roofline() {
  const dots = layers.filter(l => l.arithmetic_intensity > 0 && l.tops > 0);
  if (!dots.length) return;
  const ridge = data.ridge_point, peak = data.peak_tops, xs = dots.map(l => l.arithmetic_intensity).concat(ridge);
  const low = Math.min(...xs) / 2, high = Math.max(...xs) * 2;
  const roof = [[low, peak * low / ridge], [ridge, peak], [high, peak]].map(([x, y]) => ({ x, y }));
  const section = panel('Roofline', 'A dot a layer, larger with its share of the cycles. Left of the ridge DRAM is the roof, right of it the array. A dot above the roof had weights fetched while the layer before it ran.');
  chart(section, 400, () => ({
    data: { datasets: [
      { type: 'scatter', label: 'layers', data: dots.map(l => ({ x: l.arithmetic_intensity, y: l.tops, layer: l })),
        backgroundColor: colour('c3') + 'aa', borderColor: colour('c3'),
        pointRadius: dots.map(l => 3 + 12 * Math.sqrt(l.share || 0)), pointHoverRadius: dots.map(l => 5 + 12 * Math.sqrt(l.share || 0)) },
      { type: 'line', label: 'roof', data: roof, borderColor: colour('c1'), borderWidth: 2, pointRadius: 0, pointHitRadius: 0, fill: false },
    ] },
    options: {
      scales: {
        x: { type: 'logarithmic', min: low, max: high, title: { display: true, text: 'products a DRAM byte' }, ticks: { callback: x => /^[125]0*$|^0\.0*[125]$/.test(String(x)) ? x : '' } },
        y: { type: 'logarithmic', title: { display: true, text: 'TOPS' }, ticks: { callback: y => /^[1]0*$|^0\.0*[1]$/.test(String(y)) ? y : '' } },
      },
      plugins: { tooltip: { callbacks: { label: c => c.raw.layer ? [c.raw.layer.name || '–', `${number(c.raw.y)} TOPS at ${number(c.raw.x)} products a byte`, `${number(c.raw.layer.cycles)} cycles, ${percent(c.raw.layer.share)}`] : 'roof' } } },
    },
  }));
}

const bars = (wide, more) => ({ indexAxis: 'y', scales: { x: { stacked: true, title: { display: true, text: wide } }, y: { stacked: true, ticks: { autoSkip: false, font: { size: 11 } } } }, ...more });

function whole() {
  const section = panel('Where the cycles went', 'Each cycle is active, or belongs to what the next product waits for.');
  chart(section, 400, () => ({
    type: 'doughnut',
    data: { labels: kinds.map(k => `${k[1]} ${percent(data.classes[k[0]] / data.cycles)}`),
      datasets: [{ data: kinds.map(k => data.classes[k[0]]), backgroundColor: kinds.map(k => colour(k[2])), borderColor: colour('panel') }] },
    options: { plugins: { legend: { position: 'right' }, tooltip: { callbacks: { label: c => `${number(c.raw)} cycles` } } } },
  }));
}

function stalls() {
  if (!layers.length) return;
  const section = panel('Layers by class of cycle', 'In order of the program.', true);
  chart(section, 90 + 19 * layers.length, () => ({
    type: 'bar',
    data: { labels: layers.map(l => (l.name || '–').slice(-32)),
      datasets: kinds.map(k => ({ label: k[1], data: layers.map(l => l.classes[k[0]]), backgroundColor: colour(k[2]), borderWidth: 0, barPercentage: 0.95 })) },
    options: bars('cycles', { interaction: { mode: 'index', axis: 'y' }, plugins: { legend: { position: 'top' },
      tooltip: { filter: i => i.raw > 0, callbacks: { label: c => `${c.dataset.label}: ${number(c.raw)}` } } } }),
  }));
}

function energy() {
  if (!data.energy) return;
  const e = data.energy;
  for (const [title, key, unit, total] of [['Energy', 'joules', 'J', e.total_joules], ['Area', 'mm2', 'mm²', e.total_mm2]]) {
    const note = key === 'joules' ? `${scaled(total, 'J')}: ${number(e.watts)} W, ${number(e.chip_watts)} W without DRAM. Technology ${e.technology}; docs/energy.md says how far this is from a chip.` : `${number(total)} mm² in all.`;
    chart(panel(title, note), 320, () => ({
      type: 'bar',
      data: { labels: parts.map(p => p[1]), datasets: [{ label: unit, data: parts.map(p => e[key][p[0]]), backgroundColor: parts.map(p => colour(p[2])) }] },
      options: bars(unit, { plugins: { legend: { display: false }, tooltip: { callbacks: { label: c => `${key === 'joules' ? scaled(c.raw, 'J') : number(c.raw) + ' mm²'}, ${percent(c.raw / total)}` } } } }),
    }));
  }
}

function whatIf() {
  if (!data.what_if) return;
  const rows = data.what_if.filter(r => r.speedup !== null), failed = data.what_if.filter(r => r.speedup === null);
  const note = 'How much faster with twice as much of one thing.' + failed.map(r => ` ${changes[r.twice]}: ${r.reason}.`).join('');
  chart(panel('What if', note, true), 260, () => ({
    type: 'bar',
    data: { labels: rows.map(r => changes[r.twice]), datasets: [{ label: 'speed-up', data: rows.map(r => r.speedup), backgroundColor: rows.map(r => colour(r.speedup > 1.005 ? 'c0' : 'c5')) }] },
    options: bars('times as fast', { plugins: { legend: { display: false }, tooltip: { callbacks: { label: c => number(c.raw) + ' times' } } } }),
  }));
}

function accuracy() {
  if (!data.accuracy) return;
  const section = panel('Against the float network', `Below ${number(data.accuracy.threshold_db)} dB a value has departed` +
    (data.accuracy.departs ? `; the first is ${data.accuracy.departs}.` : '; none has.'), true);
  table(section, data.accuracy.values, [
    { title: 'value', value: v => v.name, text: v => v.name || '–', words: true },
    { title: 'SQNR, dB', value: v => v.equal ? Infinity : v.sqnr_db, text: v => v.equal ? 'equal' : number(v.sqnr_db) },
    { title: 'largest error', value: v => v.max_error, text: v => number(v.max_error) },
    { title: 'elements', value: v => v.elements, text: v => number(v.elements) },
  ]);
}

function allLayers() {
  const column = (title, key, text = number) => ({ title, value: l => l[key], text: l => text(l[key]) });
  const section = panel('Layers', 'A click on a column sorts by it' + (data.layers.length > 500 ? '; the first 500 rows are shown.' : '.'), true);
  table(section, data.layers, [
    column('#', 'index'),
    { ...column('layer', 'name', x => x || '–'), words: true },
    { ...column('operator', 'op', x => x || '–'), words: true },
    { ...column('shape', 'shape', x => x || '–'), words: true },
    column('cycles', 'cycles'), column('share', 'share', percent), column('TOPS', 'tops'),
    column('/roofline', 'roofline_ratio'), column('/mapping', 'mapping_ratio'), column('useful cells', 'useful_cells', percent),
    column('products/byte', 'arithmetic_intensity'),
    ...kinds.map(k => ({ title: k[1], value: l => l.classes[k[0]], text: l => number(l.classes[k[0]]) })),
    { title: 'DRAM bytes', value: l => l.bytes.weights + l.bytes.dram_read + l.bytes.dram_write, text: l => number(l.bytes.weights + l.bytes.dram_read + l.bytes.dram_write) },
    ...(data.energy ? [column('energy', 'total_joules', x => scaled(x, 'J'))] : []),
  ]);
}

tiles();
if (data.cycles > 0) { roofline(); whole(); energy(); whatIf(); stalls(); }
accuracy();
allLayers();
draw();
root.dataset.state = 'ready';
