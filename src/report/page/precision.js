// Precision and honesty: which types meet, what converting costs, what lies between the sum of the steps and a whole run, FP8 sites.

function transitionMatrix(engine) {
  const names = [...new Set(engine.transitions.flatMap((t) => [t.from, t.to]))].sort();
  const at = new Map(engine.transitions.map((t) => [`${t.from} ${t.to}`, t]));
  const all = sum(engine.transitions, (t) => t.bytes) || 1;
  const cell = (from, to) => {
    const t = at.get(`${from} ${to}`);
    return el('td', { 'data-pair': t ? `${from} ${to}` : null, style: t ? { '--heat': `${Math.round((60 * t.bytes) / all)}%` } : null }, t ? [count(t.edges), el('small', {}, bytes(t.bytes))] : '–');
  };
  return el('div', { class: 'scroll short' }, el('table', { class: 'matrix', 'data-matrix': data.report.engines.indexOf(engine) },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'from ╲ to'), names.map((n) => el('th', { scope: 'col', class: 'number' }, n)))),
    el('tbody', {}, names.map((from) => el('tr', {}, el('th', { scope: 'row' }, from), names.map((to) => cell(from, to)))))));
}

function reformatCost(engine) {
  const total = sum(engine.steps, (s) => s.time.median);
  const strays = engine.stray_quantizers.length;
  return el('p', {}, engine.reformat_ms > 0 ? `${ms(engine.reformat_ms)} (${percent((100 * engine.reformat_ms) / total)}) in reformats and copies. ` : 'No step only converts or copies. ',
    strays ? el('span', { class: 'bad' }, `${plural(strays, 'quantizer')} folded into no product: `) : 'Every Q and DQ is folded into a step that computes.',
    strays ? engine.stray_quantizers.slice(0, 8).map((n, k) => [k ? ', ' : '', el('a', { class: 'name', href: nodeLink(data.report.engines.indexOf(engine), n) }, engine.nodes[n].name)]) : null);
}

function drawGap(node, engines, width) {
  const bar = 16, group = 2 * bar + 14, left = Math.min(170, width * 0.34), right = 150, height = engines.length * group + 22;
  const rows = engines.flatMap((e, i) => [['sum of steps', e.summary.sum_of_steps.median], ['whole runs', e.summary.plain_ms ?? e.summary.compute_ms]].map(([what, v], k) => ({ e, i, k, what, v })));
  const x = d3.scaleLinear().domain([0, d3.max(rows, (r) => r.v) || 1]).range([left, width - right]);
  const svg = svgIn(node, 'Sum of the steps beside whole runs, milliseconds from zero').attr('viewBox', `0 0 ${width} ${height}`).attr('height', height);
  axis(svg, x, 0, height - 22, 'ms', width);
  const row = svg.append('g').selectAll('g').data(rows).join('g').attr('transform', (d) => `translate(0,${d.i * group + d.k * bar + 5})`);
  row.append('text').attr('y', 12).attr('class', (d) => (d.k ? 'muted' : '')).text((d) => `${letter(d.i)}  ${d.what}`);
  row.append('rect').attr('x', left).attr('width', (d) => Math.max(0, x(d.v) - left)).attr('height', bar - 3).style('fill', (d) => (d.k ? 'var(--other)' : engineColour(d.i)));
  row.append('text').attr('x', (d) => x(d.v) + 6).attr('y', 12).attr('data-gap', (d) => (d.k ? null : d.i)).text((d) => ms(d.v) + (d.k ? '' : `  ${d.e.summary.gap_percent >= 0 ? '+' : '−'}${percent(Math.abs(d.e.summary.gap_percent))}`));
}

function siteTable(engine) {
  if (!engine.sites.length) return null;
  const share = (a, b) => (b ? percent((100 * a) / b, 3) : '–');
  const index = data.report.engines.indexOf(engine);
  const row = (s) => el('tr', {}, el('td', { class: 'first' }, el('a', { class: 'name', href: stepLink(index, s.step) }, s.tensor)), [`${s.scale.toPrecision(4)}`, digits(s.largest), share(s.saturated, s.elements),
    share(s.clipped, s.judged), share(s.zeros, s.elements), count(s.nan)].map((text) => el('td', { class: 'number' }, text)));
  const sorted = engine.sites.slice().sort((a, b) => b.saturated / (b.elements || 1) - a.saturated / (a.elements || 1));
  return block(`FP8 sites of ${engine.label}, by saturation`, el('div', { class: 'scroll', tabindex: 0 }, el('table', {}, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'tensor'),
    ['scale', 'largest code', 'at ±448', 'clipped', 'zero', 'NaN'].map((t) => el('th', { scope: 'col', class: 'number' }, t)))), el('tbody', {}, sorted.map(row)))));
}

function precisionSection(report) {
  const { engines } = report;
  return section('precision', 'Precision', 'Tensors that go from a step of one precision to a step of another: their number, and their bytes in one run. Changes of type that cost a step of their own are reformats.',
    el('div', { class: 'even' }, engines.map((e) => block(e.label, transitionMatrix(e), el('div', { class: 'note after' }, reformatCost(e))))),
    block('Sum of the steps beside whole runs, ms', fitted(el('div', { id: 'gap' }), (node, width) => drawGap(node, engines, width)),
      el('p', { class: 'note' }, 'Profiled and plain runs take turns. Timing each step costs time of its own, and overlap between steps is lost: the difference is the error of a profile.')),
    engines.map(siteTable));
}

function environmentSection(report) {
  const fields = [['file', 'file'], ['graph', 'name'], ['built by', 'creator']];
  const facts = [['octet', 'octet'], ['date', 'date'], ['command', 'command'], ['CPU', 'cpu'], ['instruction sets', 'isa'], ['device', 'device'], ['threads', 'threads'],
    ['driver', 'driver'], ['GPU memory', 'gpu_memory'], ['variables', 'variables']];
  const text = (v) => (Array.isArray(v) ? v.join('\n') : `${v ?? ''}`);
  const row = (title, of) => {
    const values = report.engines.map(of);
    if (values.every((v) => !v)) return null;
    const same = values.every((v) => v === values[0]);
    return el('tr', {}, el('th', { scope: 'row' }, title), same ? el('td', { colspan: values.length, class: 'name' }, values[0]) : values.map((v) => el('td', { class: 'name' }, v || '–')));
  };
  const method = (e) => {
    const s = e.summary;
    return `${plural(s.runs, 'run')} after ${plural(s.warm_up_runs, 'warm-up run')} (${digits(s.warm_up_ms)} ms), without a profile: median ${interval(s.end_to_end)}; ` +
      `mean ${ms(s.mean)}, least ${ms(s.min)}, coefficient of variation ${percent(s.coefficient_of_variation)}; ${plural(s.profiled_runs, 'profiled run')}`;
  };
  const roofs = (e) => e.roofs.map((r) => `${r.name}: ${r.memory ? `${digits(r.rate / 1e9)} GB/s` : `${digits(r.rate / 1e12)} TFLOP/s`} (${r.origin})`).join('\n');
  return section('environment', 'Environment and method', null, el('p', {}, saveButton('save the report as JSON', 'report.json', 'application/json', () => JSON.stringify(data.report))), el('div', { class: 'scroll short' }, el('table', { class: 'plain' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, ''), report.engines.map((e) => el('th', { scope: 'col' }, e.label)))),
    el('tbody', {}, fields.map(([t, k]) => row(t, (e) => e[k])), facts.map(([t, k]) => row(t, (e) => text(e.environment[k]))),
      row('method', method), row('roofs', roofs), row('notes', (e) => e.notes.join('\n'))))));
}
