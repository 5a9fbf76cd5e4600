// Where the time goes: bars by category and precision, donuts of precision, and every layer in order.

const kCategories = ['gemm', 'attention', 'unfused attention', 'normalisation', 'embedding', 'element-wise', 'reformat', 'copy'];
const kByMeasure = { time: [ms, (share) => share.ms], steps: [count, (share) => share.steps], FLOPs: [flops, (share) => share.flops] };

// [{precision, ms, steps}] of a category: its steps' medians, scaled to the category's own time, which is the median of their sums.
function precisionParts(engine, category) {
  const share = engine.by_category.find((s) => s.name === category), out = new Map();
  for (const step of engine.steps) {
    if (step.category !== category) continue;
    const part = out.get(step.precision) || { precision: step.precision, ms: 0, steps: 0 };
    part.ms += step.time.median, ++part.steps;
    out.set(step.precision, part);
  }
  const parts = [...out.values()], whole = sum(parts, (p) => p.ms) || 1;
  return { ms: share ? share.ms : 0, parts: share ? parts.map((p) => ({ ...p, ms: (p.ms * share.ms) / whole })) : [] };
}

const precisionsOf = (engines) => [...new Set(engines.flatMap((e) => e.steps.map((s) => s.precision)))].sort((a, b) =>
  Object.keys(kPrecisions).indexOf(a) - Object.keys(kPrecisions).indexOf(b));

function drawCategories(node, engines, width) {
  const named = engines.flatMap((e) => e.by_category.map((s) => s.name));
  const used = [...kCategories.filter((c) => named.includes(c)), ...new Set(named.filter((c) => !kCategories.includes(c)))];
  const rows = used.flatMap((c, k) => engines.map((e, i) => ({ c, k, i, ...precisionParts(e, c) })));
  const bar = 17, gap = 12, left = Math.min(150, width * 0.33), right = 86, group = engines.length * bar + gap, height = used.length * group + 22;
  const x = d3.scaleLinear().domain([0, d3.max(rows, (d) => d.ms) || 1]).range([left, width - right]);
  const svg = svgIn(node, 'Time by category, milliseconds from zero').attr('viewBox', `0 0 ${width} ${height}`).attr('height', height);
  axis(svg, x, 0, height - 22, 'ms', width);
  svg.append('g').selectAll('text').data(used).join('text').attr('y', (c, k) => k * group + 16).style('font-weight', 600).text((c) => clip(c, Math.floor((left - 22) / 6.6)));
  const row = svg.append('g').selectAll('g').data(rows).join('g').attr('transform', (d) => `translate(0,${d.k * group + d.i * bar + 4})`).attr('data-category', (d) => d.c).attr('data-engine', (d) => d.i);
  if (engines.length > 1) row.append('text').attr('x', left - 14).attr('y', 12).attr('class', 'muted').text((d) => letter(d.i));
  row.each(function (d) {
    let at = 0;
    const parts = d.parts.map((p) => ({ ...p, from: at, to: (at += p.ms) }));
    withTip(d3.select(this).selectAll('rect').data(parts).join('rect').attr('x', (p) => x(p.from)).attr('width', (p) => Math.max(0.5, x(p.to) - x(p.from)))
      .attr('height', bar - 3).style('fill', (p) => precisionColour(p.precision)),
    (p) => `${engines[d.i].label}, ${d.c} in ${p.precision}\n${ms(p.ms)} in ${plural(p.steps, 'step')}`);
  });
  row.append('text').attr('x', (d) => x(d.ms) + 6).attr('y', 12).attr('class', (d) => (d.parts.length ? 'sum' : 'muted sum')).text((d) => (d.parts.length ? ms(d.ms) : 'none'));
}

function drawDonut(node, engine, measure) {
  const [show, of] = kByMeasure[measure];
  const totals = engine.by_precision.map((share) => ({ key: share.name, value: of(share) })).filter((e) => e.value > 0);
  const all = sum(totals, (t) => t.value), most = totals.slice().sort((a, b) => b.value - a.value)[0];
  const described = totals.map((t) => `${t.key} ${percent((100 * t.value) / all)}`).join(', ');
  const svg = d3.select(node).append('svg').attr('viewBox', '-76 -76 152 152').attr('role', 'img').attr('aria-label', `${engine.label}, precision by ${measure}: ${described}`);
  const arc = d3.arc().innerRadius(46).outerRadius(72).padAngle(0.012);
  const pie = d3.pie().value((t) => t.value).sortValues(null)(totals);
  withTip(svg.selectAll('path').data(pie).join('path').attr('d', arc).style('fill', (d) => precisionColour(d.data.key)),
    (d) => `${engine.label}: ${d.data.key}\n${show(d.value)}, ${percent((100 * d.value) / all)}`);
  if (!most) return;
  svg.append('text').attr('class', 'big').attr('text-anchor', 'middle').attr('y', 1).text(percent((100 * most.value) / all, 0));
  svg.append('text').attr('class', 'muted').attr('text-anchor', 'middle').attr('y', 20).text(most.key);
}

function donutRow(engines, measure, size) {
  return el('div', { class: `donuts ${size}` }, engines.map((engine, i) => {
    const one = el('div', { class: 'donut', 'data-engine': i });
    drawDonut(one, engine, measure);
    one.append(el('div', { class: 'note' }, engine.label));
    oneTabStop(one);
    return one;
  }));
}
function donuts(engines) {
  const row = el('div', { id: 'donuts' }, donutRow(engines, 'time', ''));
  return [choice('by', Object.keys(kByMeasure).map((m) => [m, m]), 'time', (measure) => row.replaceChildren(donutRow(engines, measure, ''))), row];
}

// Every layer in order, a small chart an engine, one scale: what changed, what repeats, what stands out.
function drawSkyline(node, rows, engines, width) {
  const high = 92, gap = 20, left = 44, top = 12, height = engines.length * (high + gap) + top + 16;
  const most = d3.max(rows, (r) => d3.max(r.sides, (s) => s.time.median)) || 1;
  const x = d3.scaleLinear().domain([0, rows.length]).range([left, width]);
  const y = d3.scaleLinear().domain([0, most]).range([high, 0]);
  const svg = svgIn(node, `Time of each of ${rows.length} layers in order, milliseconds from zero, one row an engine`).attr('viewBox', `0 0 ${width} ${height}`).attr('height', height);
  engines.forEach((engine, i) => {
    const g = svg.append('g').attr('transform', `translate(0,${top + i * (high + gap)})`);
    const ticks = g.append('g').attr('class', 'tick');
    ticks.selectAll('path').data(y.ticks(2)).join('path').attr('class', (d) => (d === 0 ? 'axis' : 'grid')).attr('d', (d) => `M${left},${Math.round(y(d)) + 0.5}H${width}`);
    ticks.selectAll('text').data(y.ticks(2)).join('text').attr('x', left - 6).attr('y', (d) => y(d) + 4).attr('text-anchor', 'end').text((d) => `${d}`);
    g.append('text').attr('x', left).attr('y', -3).style('font-weight', 600).text(engine.label);
    const bars = g.selectAll('rect.bar').data(rows.map((r, k) => ({ r, k, side: r.sides[i] })).filter((d) => d.side.steps.length)).join('rect').attr('class', 'bar')
      .attr('x', (d) => x(d.k)).attr('width', Math.max(0.8, x(1) - x(0) - 0.7)).attr('y', (d) => y(d.side.time.median)).attr('height', (d) => high - y(d.side.time.median))
      .style('fill', (d) => categoryColour(engine.steps[d.side.steps[0]].category)).style('cursor', 'pointer')
      .on('click', (d) => { location.hash = stepLink(i, d.side.steps[0]).slice(1); });
    withTip(bars, (d) => `${d.r.name}\n${engine.label}: ${interval(d.side.time)}\n${d.side.precision} ${engine.steps[d.side.steps[0]].category}`);
  });
  svg.append('text').attr('class', 'muted').attr('x', width).attr('y', height - 3).attr('text-anchor', 'end').text('layers in the order in which they run, ms each');
}

function whereTheTimeGoes(report, rows) {
  const { engines } = report;
  const categories = fitted(el('div', { id: 'categories' }), (node, width) => drawCategories(node, engines, width));
  const skyline = fitted(el('div', { id: 'skyline' }), (node, width) => drawSkyline(node, rows, engines, width));
  const shades = kCategories.slice(0, 4).filter((c) => engines.some((e) => e.steps.some((s) => s.category === c)));
  return section('time', 'Where the time goes', 'Medians of the profiled runs, step by step. Bars start at zero.',
    el('div', { class: 'two' }, block('By category and the precision of its products, ms', el('p', {}, key(precisionsOf(engines).map((p) => [p, precisionColour(p)]))), categories),
      block('Precision', donuts(engines))),
    block('By layer, ms', el('p', {}, key([...shades.map((c) => [c, categoryColour(c)]), ['other', 'var(--other)']])), skyline));
}
