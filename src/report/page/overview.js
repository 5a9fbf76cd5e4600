// The first screen: the answer in a sentence, tiles, the waterfall, what is slower in FP8, what is not in FP8.

// The 95 % intervals of the two medians meet: the runs do not tell which engine is faster.
function withinNoise({ engines }, leg) {
  const a = engines[leg.from].summary.end_to_end, b = engines[leg.to].summary.end_to_end;
  return a.low <= b.high && b.low <= a.high;
}

function headline(report) {
  const { engines, waterfall } = report;
  const last = engines[engines.length - 1];
  if (!waterfall.length) {
    const s = last.summary;
    return `${ms(s.end_to_end.median)} for a batch of ${count(s.batch)}: ${digits(s.items_per_second)} items/s`;
  }
  const from = waterfall[0].from_ms, to = waterfall[waterfall.length - 1].to_ms;
  const legs = waterfall.map((leg) => `${times(leg.speed_up)} by ${leg.cause}${withinNoise(report, leg) ? ' (within noise)' : ''}`);
  const whole = from >= to ? `${times(from / to)} as fast as` : `${times(to / from)} as slow as`;
  return `${last.label} is ${whole} ${engines[0].label}${legs.length > 1 ? `: ${legs.join(', ')}` : ` (${waterfall[0].cause})`}`;
}

const kTiles = [
  ['median latency', (s) => s.end_to_end.median, ms],
  ['p90 latency', (s) => s.p90, ms],
  ['p99 latency', (s) => s.p99, ms],
  ['items/s', (s) => s.items_per_second, digits],
  ['engine file', (s) => s.engine_bytes, bytes],
  ['weights in memory', (s) => s.resident_weight_bytes, bytes],
  ['arena', (s) => s.arena_bytes, bytes],
];

function tile([title, value, show], engines) {
  const most = Math.max(...engines.map((e) => value(e.summary)), 0);
  const rows = engines.map((engine, i) => {
    const v = value(engine.summary);
    const text = el('span', { class: 'value', 'data-engine': i }, show(v));
    if (engines.length === 1) return el('div', { class: 'row' }, text);
    const width = `${most > 0 ? (100 * v) / most : 0}%`;
    return el('div', { class: 'row', title: engine.label }, el('span', {}, letter(i)),
      el('span', { class: 'meter' }, el('i', { style: { '--fill': engineColour(i), width } })), text);
  });
  return el('div', { class: `tile${engines.length === 1 ? ' single' : ''}`, 'data-tile': title }, el('h3', {}, title), rows);
}

// What unfused attention gave up less what the fused one takes: one gain, not a gain and a loss.
function attentionAsOne(parts) {
  const is = (p) => p.category === 'attention' || p.category === 'unfused attention';
  const both = parts.filter(is);
  return both.length < 2 ? parts : [...parts.filter((p) => !is(p)), { category: 'attention, fused', ms: sum(both, (p) => p.ms) }];
}

function totalRow({ engines }, engine) {
  const { median, high } = engines[engine].summary.end_to_end;
  return { kind: 'total', engine, label: engines[engine].label, from: 0, to: median, high };
}

// Rows of the waterfall: totals of the engines; between two of them the whole leg, and what each category saved of it.
function waterfallRows(report) {
  const rows = [];
  report.waterfall.forEach((leg, i) => {
    if (i === 0) rows.push(totalRow(report, leg.from));
    rows.push({ kind: 'leg', leg: i, label: `by ${leg.cause}`, cause: leg.cause, from: leg.from_ms, to: leg.to_ms, saved: leg.from_ms - leg.to_ms, speedUp: leg.speed_up, noise: withinNoise(report, leg) });
    let at = leg.from_ms;
    const least = 0.01 * report.waterfall[0].from_ms;
    const all = attentionAsOne(leg.parts), shown = all.filter((p) => Math.abs(p.ms) >= least).sort((a, b) => b.ms - a.ms);
    const rest = sum(all, (p) => p.ms) - sum(shown, (p) => p.ms) + leg.unattributed_ms;
    const parts = [...shown.map((p) => [p.category, p.ms]), ['the rest', rest]];
    for (const [label, saved] of parts) rows.push({ kind: 'part', label, cause: leg.cause, from: at, to: (at -= saved), saved });
    rows.push(totalRow(report, leg.to));
  });
  return rows;
}
const causeColour = (cause) => (cause === 'fusion' ? 'var(--attention)' : cause.includes('precision') ? 'var(--e4m3)' : 'var(--gemm)');
const kRow = { total: { y: 2, height: 22, indent: 0 }, leg: { y: 4, height: 18, indent: 0 }, part: { y: 8, height: 10, indent: 14 } };

// The interval of each row's median, across the end of its bar.
function whiskers(rows, x, of) {
  rows.append('path').attr('class', 'whisker').attr('d', (d) => { const { low, high } = of(d); return `M${x(low)},8v10m0,-5H${x(high)}m0,-5v10`; });
}

function drawWaterfall(node, report, width) {
  const rows = waterfallRows(report), high = 26, left = Math.min(170, width * 0.34), right = 128, top = 2;
  const x = d3.scaleLinear().domain([0, d3.max(rows, (r) => Math.max(r.from, r.to, r.high || 0)) || 1]).range([left, width - right]);
  const height = top + rows.length * high + 26;
  const svg = svgIn(node, `Speed-up waterfall, milliseconds from zero. ${headline(report)}`).attr('viewBox', `0 0 ${width} ${height}`).attr('height', height);
  axis(svg, x, top, height - 22, 'ms', width);
  const row = svg.append('g').selectAll('g').data(rows).join('g').attr('transform', (d, i) => `translate(0,${top + i * high})`).attr('data-kind', (d) => d.kind).attr('data-cause', (d) => (d.kind === 'leg' ? d.cause : null));
  row.append('text').attr('x', (d) => kRow[d.kind].indent).attr('y', 17).attr('class', (d) => (d.kind === 'part' ? 'muted' : 'strong')).text((d) => clip(d.label, Math.floor((left - 18) / 6.6)));
  const from = (d) => x(Math.min(d.from, d.to)), size = (d) => Math.max(1, Math.abs(x(d.to) - x(d.from)));
  row.append('rect').attr('x', from).attr('width', size).attr('y', (d) => kRow[d.kind].y).attr('height', (d) => kRow[d.kind].height).attr('rx', 2)
    .style('fill', (d) => (d.kind === 'total' ? engineColour(d.engine) : d.saved < 0 ? 'var(--bad)' : causeColour(d.cause)))
    .style('fill-opacity', (d) => (d.kind === 'part' ? 0.6 : 1));
  row.filter((d, i) => i + 1 < rows.length && d.kind !== 'leg').append('path').attr('class', 'axis')  // carries the level to the next rows
    .attr('d', (d, i, all) => `M${x(d.to)},${kRow[d.kind].y + kRow[d.kind].height}V${high + 5}`);
  row.append('text').attr('class', (d) => (d.kind === 'part' ? 'muted' : 'strong')).attr('x', (d) => x(Math.max(d.from, d.to, d.high || 0)) + 7).attr('y', 17)
    .attr('data-total', (d) => (d.kind === 'total' ? '' : null)).text((d) => (d.kind === 'total' ? ms(d.to) : `${signed(-d.saved)} ms`))
    .filter((d) => d.kind === 'leg').append('tspan').attr('dx', 8).attr('data-speed-up', '').text((d) => times(d.speedUp) + (d.noise ? ' ?' : ''));
  whiskers(row.filter((d) => d.kind === 'total'), x, (d) => report.engines[d.engine].summary.end_to_end);
  withTip(row, (d) => (d.kind === 'total' ? `${d.label}: ${interval(report.engines[d.engine].summary.end_to_end)} end to end` : `${d.label}: ${signed(-d.saved)} ms${d.noise ? ': within noise, the intervals of the two meet' : ''}${d.kind === 'part' ? ` by ${d.cause}, as the sums of the steps tell` : ''}`));
}

// A horizontal scale from zero: grid lines, ticks and the unit.
function axis(svg, x, top, bottom, unit, width) {
  const ticks = x.ticks(Math.max(2, Math.min(7, Math.floor((x.range()[1] - x.range()[0]) / 80))));
  const g = svg.append('g').attr('class', 'tick');
  g.selectAll('path').data(ticks).join('path').attr('class', (d) => (d === 0 ? 'axis' : 'grid')).attr('d', (d) => `M${Math.round(x(d)) + 0.5},${top}V${bottom}`);
  g.selectAll('text').data(ticks).join('text').attr('x', (d) => x(d)).attr('y', bottom + 15).attr('text-anchor', 'middle').text((d) => d.toLocaleString('en-US'));
  g.append('text').attr('x', width).attr('y', bottom + 15).attr('text-anchor', 'end').text(unit);
}

// Layers slower than in the engine before, beyond noise; those that repeat as one, the last leg first.
function slowerRoles(report, leg) {
  const groups = new Map();
  for (const s of report.slower) {
    if (!s.beyond_noise || s.from !== leg.from || s.to !== leg.to) continue;
    const layer = report.layers[s.layer], role = roleOf(layer.name, layer.block);
    const group = groups.get(role) || { role, list: [], delta: 0, reason: s.reason };
    group.list.push(s), (group.delta += s.delta_ms);
    groups.set(role, group);
  }
  return [...groups.values()].sort((a, b) => b.delta - a.delta);
}

function slowerItem(report, { role, list, delta, reason }) {
  const { to, layer } = list[0], { name, sides } = report.layers[layer];
  return el('li', { 'data-layers': list.length }, el('span', {}, list.length > 1 ? `${list.length} × ` : '', el('a', { href: stepLink(to, sides[to].steps[0]), class: 'name' }, list.length > 1 ? role : name)),
    el('span', { class: 'bad value' }, `+${digits(delta)} ms`), reason ? el('span', { class: 'why' }, reason) : null);
}

// The last leg in full, the others folded.
function slowerList(report) {
  return report.waterfall.slice().reverse().map((leg, i) => {
    const roles = slowerRoles(report, leg), within = report.slower.filter((s) => !s.beyond_noise && s.from === leg.from && s.to === leg.to).length;
    const title = `Slower in ${report.engines[leg.to].label} than in ${report.engines[leg.from].label}`;
    const list = roles.length ? el('ul', { class: 'findings' }, roles.map((r) => slowerItem(report, r))) : el('p', { class: 'none' }, 'No layer, beyond noise.');
    const note = within ? el('p', { class: 'note' }, `${plural(within, 'layer')} slower within noise.`) : null, attributes = { class: 'block', 'data-slower': `${leg.from} ${leg.to}` };
    if (i === 0) return el('div', attributes, el('h3', {}, title), list, note);
    return el('details', attributes, el('summary', {}, el('h3', {}, title), el('span', { class: 'muted' }, roles.length ? `${plural(sum(roles, (r) => r.list.length), 'layer')}, +${digits(sum(roles, (r) => r.delta))} ms` : 'none, beyond noise')), list, note);
  });
}

// Steps of the last engine that have products and do not make them in FP8, by reason.
function notFp8(report) {
  const engine = report.engines[report.engines.length - 1], index = report.engines.length - 1;
  const groups = new Map();
  engine.steps.forEach((step, i) => {
    if (step.fp8 === 'yes' || step.fp8 === 'n/a') return;
    const reason = step.fp8_reason || 'no reason recorded';
    if (!groups.has(reason)) groups.set(reason, []);
    groups.get(reason).push(i);
  });
  const list = [...groups].map(([reason, steps]) => ({ reason, steps, share: sum(steps, (i) => engine.steps[i].share) })).sort((a, b) => b.share - a.share);
  const item = (g) => el('li', {}, el('span', {}, `${plural(g.steps.length, 'step')}: `, g.steps.slice(0, 3).map((i, k) => [k ? ', ' : '',
    el('a', { href: stepLink(index, i), class: 'name' }, engine.steps[i].name)]), g.steps.length > 3 ? ' …' : ''),
  el('span', { class: 'value' }, percent(g.share)), el('span', { class: 'why' }, g.reason));
  return block(`Not in FP8 in ${engine.label}, share of time`, list.length ? el('ul', { class: 'findings', id: 'not-fp8' }, list.slice(0, 6).map(item)) :
    el('p', { class: 'none', id: 'not-fp8' }, 'Every product is made in FP8.'));
}

function overview(report) {
  const { engines } = report, last = engines[engines.length - 1];
  const who = el('p', { class: 'lead' }, `${last.name || 'engine'} · batch ${count(last.summary.batch)} · ${last.environment.device} · ${last.environment.date}`);
  const names = engines.length > 1 ? key(engines.map((e, i) => [`${letter(i)}  ${bareLabel(e, i)}`, engineColour(i)])) : null;
  const chart = report.waterfall.length ? block('Where the speed-up comes from: end to end, ms', fitted(el('div', { id: 'waterfall' }), (node, width) => drawWaterfall(node, report, width))) : null;
  const side = el('div', { class: 'stack', id: 'findings' }, engines.length > 1 ? block('Precision, by time', donutRow(engines, 'time', 'small')) : null, notFp8(report), slowerList(report));
  return el('section', { id: 'overview', 'aria-label': 'Overview' }, el('h1', {}, headline(report)), who, names,
    el('div', { class: 'tiles' }, kTiles.map((t) => tile(t, engines))), chart ? el('div', { class: 'two' }, chart, side) : side);
}
