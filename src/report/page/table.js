// The layers of all engines side by side: sorted, filtered, repeated ones together or apart, each with what it ran as.

// Matched layers; of a single engine its steps, in the same form.
function layerRows(report) {
  if (report.layers.length) return report.layers;
  return report.engines[0].steps.map((s, i) => ({ name: s.name, category: s.category, block: s.block,
    sides: [{ steps: [i], time: s.time, precision: s.precision, kernels: s.kernel }] }));
}

// What repeats as one row: times and the ends of their intervals added up.
function byRole(rows) {
  const groups = new Map();
  for (const row of rows) {
    const role = roleOf(row.name, row.block);
    if (!groups.has(role)) groups.set(role, []);
    groups.get(role).push(row);
  }
  const joined = (list) => [...new Set(list)].join(' + ');
  return [...groups].map(([name, list]) => ({ name, category: list[0].category, block: '', repeats: list.length, sides: list[0].sides.map((_, i) => {
    const sides = list.map((r) => r.sides[i]);
    return { steps: sides.flatMap((s) => s.steps), precision: joined(sides.map((s) => s.precision).filter(Boolean)), kernels: joined(sides.map((s) => s.kernels).filter(Boolean)),
      time: { median: sum(sides, (s) => s.time.median), low: sum(sides, (s) => s.time.low), high: sum(sides, (s) => s.time.high) } };
  }) }));
}

// The change from one engine to another: its median and the widest interval that both intervals allow.
function change(row, from, to) {
  const a = row.sides[from], b = row.sides[to];
  if (!a.steps.length || !b.steps.length) return null;
  const low = b.time.low - a.time.high, high = b.time.high - a.time.low;
  return { delta: b.time.median - a.time.median, low, high, ratio: b.time.median > 0 ? a.time.median / b.time.median : NaN, beyond: low > 0 || high < 0 };
}

function deltaMark(d, most) {
  const x = d3.scaleLinear().domain([-most, most]).range([2, 98]).clamp(true);
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const svg = d3.select(node).attr('class', 'delta').attr('width', 100).attr('height', 14).attr('aria-hidden', 'true');
  svg.append('path').attr('class', 'axis').attr('d', 'M50.5,0V14');
  const colour = !d.beyond ? 'var(--muted)' : d.delta < 0 ? 'var(--good)' : 'var(--bad)';
  svg.append('path').attr('d', `M${x(d.low)},7H${x(d.high)}`).style('stroke', colour).style('stroke-width', 1.5);
  svg.append('circle').attr('cx', x(d.delta)).attr('cy', 7).attr('r', 3).style('fill', colour);
  return node;
}

class LayerTable {
  constructor(report, rows) {
    this.report = report, this.all = { apart: rows, together: byRole(rows) };
    const n = report.engines.length;
    this.state = { sort: null, descending: true, words: '', category: '', only: 'all', rows: 'apart', from: Math.max(0, n - 2), to: n - 1 };
    this.table = el('table', { id: 'layer-table', onkeydown: (e) => this.keys(e) });
    this.shown = el('span', { class: 'note', 'aria-live': 'polite', id: 'layers-shown' });
    this.draw();
  }

  // [id, title, value for sorting, cell, numeric]
  columns() {
    const { engines } = this.report, { from, to } = this.state, several = engines.length > 1;
    const total = engines.map((e, i) => sum(this.all.apart, (r) => r.sides[i].time.median));
    const left = (i) => el('td', { class: 'number' }, i);
    const columns = [['name', 'layer', (r) => r.name, (r) => el('td', { class: 'first name', title: r.name }, r.name, r.repeats > 1 ? el('span', { class: 'muted' }, ` ×${r.repeats}`) : null)],
      ['category', 'category', (r) => r.category, (r) => el('td', {}, r.category)]];
    engines.forEach((e, i) => columns.push([`ms${i}`, several ? `${letter(i)}, ms` : 'ms', (r) => r.sides[i].time.median,
      (r) => left(r.sides[i].steps.length ? digits(r.sides[i].time.median) : '–'), true]));
    if (several) {
      const most = d3.max(this.all[this.state.rows], (r) => { const d = change(r, from, to); return d ? Math.max(Math.abs(d.low), Math.abs(d.high)) : 0; }) || 1;
      const name = `${letter(to)} − ${letter(from)}`;
      columns.push(['delta', `${name}, ms`, (r) => (change(r, from, to) || { delta: NaN }).delta, (r) => {
        const d = change(r, from, to);
        return d ? el('td', { class: `number ${d.beyond ? (d.delta < 0 ? 'good' : 'bad') : 'muted'}` }, signed(d.delta)) : left('–');
      }, true]);
      columns.push(['noise', '95 % interval', (r) => (change(r, from, to) || { high: NaN }).high, (r) => {
        const d = change(r, from, to);
        return d ? el('td', { title: `between ${signed(d.low)} and ${signed(d.high)} ms${d.beyond ? '' : ': within noise'}` }, deltaMark(d, most),
          el('span', { class: 'unseen' }, `${signed(d.low)} to ${signed(d.high)} ms`)) : el('td', {}, '');
      }]);
      columns.push(['ratio', `${letter(from)} / ${letter(to)}`, (r) => (change(r, from, to) || { ratio: NaN }).ratio, (r) => left(times((change(r, from, to) || {}).ratio)), true]);
    }
    columns.push(['share', several ? `of ${letter(to)}` : 'share', (r) => r.sides[to].time.median, (r) => left(r.sides[to].steps.length ? percent((100 * r.sides[to].time.median) / total[to]) : '–'), true]);
    columns.push(['roof', several ? `${letter(to)} of roof` : 'of roof', (r) => this.ofRoof(r.sides[to], to), (r) => left(percent(this.ofRoof(r.sides[to], to), 0)), true]);
    columns.push(['precision', 'precision', (r) => r.sides[to].precision, (r) => el('td', {}, several ? r.sides.map((s) => s.precision || '–').join(' → ') : precisionBadge(r.sides[0].precision))]);
    columns.push(['kernel', several ? `kernel of ${letter(to)}` : 'kernel', (r) => r.sides[to].kernels, (r) => el('td', { class: 'name' }, r.sides[to].kernels || '–')]);
    return columns;
  }

  // The time that the roofs need, over the time it took.
  ofRoof(side, i) {
    const roof = sum(side.steps, (s) => this.report.engines[i].steps[s].roofline.roof_ms);
    return roof > 0 && side.time.median > 0 ? (100 * roof) / side.time.median : NaN;
  }

  rows() {
    const { words, category, only, from, to, sort, descending } = this.state;
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const list = this.all[this.state.rows].filter((r) => {
      const text = `${r.name} ${r.category} ${r.sides.map((s) => `${s.precision} ${s.kernels}`).join(' ')}`.toLowerCase();
      if (!wanted.every((w) => text.includes(w)) || (category && r.category !== category)) return false;
      const d = only === 'all' ? null : change(r, from, to);
      return only === 'all' || (d && d.beyond && (only === 'slower') === d.delta > 0);
    });
    const column = this.columns().find((c) => c[0] === sort);
    if (!column) return list;
    const value = (r) => { const v = column[2](r); return Number.isNaN(v) || v === undefined ? null : v; };
    const order = (a, b) => (typeof a === 'string' ? a.localeCompare(b, 'en', { numeric: true }) : a - b);
    return list.map((r) => [value(r), r]).sort(([a], [b]) => (a === null ? 1 : b === null ? -1 : descending ? order(b, a) : order(a, b))).map(([, r]) => r);
  }

  set(changes) { Object.assign(this.state, changes), this.draw(); }

  draw() {
    const columns = this.columns(), rows = this.rows(), { sort, descending } = this.state;
    const head = columns.map(([id, title, , , numeric]) => el('th', { scope: 'col', class: numeric ? 'number' : null,
      'aria-sort': sort === id ? (descending ? 'descending' : 'ascending') : null },
    el('button', { type: 'button', 'data-sort': id, onclick: () => { this.set({ sort: id, descending: sort === id ? !descending : Boolean(numeric) }); this.table.querySelector(`[data-sort="${id}"]`).focus(); } }, title)));
    this.body = el('tbody', {}, rows.map((row, i) => this.row(row, columns, i)));
    this.table.replaceChildren(el('thead', {}, el('tr', {}, head)), this.body);
    this.shown.textContent = `${plural(rows.length, 'row')} of ${count(this.all[this.state.rows].length)}`;
  }

  // The rows as they are shown, all digits. A leading =, +, - or @ would be a formula to a spreadsheet: names get a quote before it.
  csv() {
    const { engines } = this.report, cell = (v) => (isNumber(v) ? `${v}` : `"${`${v ?? ''}`.replace(/^[=+\-@\t\r]/, "'$&").replace(/"/g, '""')}"`);
    const head = ['layer', 'category', ...engines.flatMap((e, i) => ['ms', 'low', 'high', 'precision', 'kernel'].map((what) => `${letter(i)} ${what}`))];
    const line = (r) => [r.name, r.category, ...r.sides.flatMap((s) => (s.steps.length ? [s.time.median, s.time.low, s.time.high, s.precision, s.kernels] : ['', '', '', '', '']))];
    return [head, ...this.rows().map(line)].map((cells) => cells.map(cell).join(',')).join('\r\n') + '\r\n';
  }

  row(row, columns, i) {
    const node = el('tr', { tabindex: i === 0 ? 0 : -1, 'aria-expanded': 'false', onclick: () => this.toggle(node, row, columns.length) }, columns.map((c) => c[3](row)));
    return node;
  }

  toggle(node, row, width) {
    const open = node.getAttribute('aria-expanded') === 'true';
    node.setAttribute('aria-expanded', String(!open));
    if (open) return node.nextSibling.remove();
    const sides = row.sides.map((side, i) => this.side(side, i)).filter(Boolean);
    node.after(el('tr', { class: 'detail-row' }, el('td', { colspan: width }, el('div', { class: 'even' }, sides))));
  }

  side(side, i) {
    const engine = this.report.engines[i];
    if (!side.steps.length) return null;
    const shown = side.steps.slice(0, 3);
    return block(engine.label, shown.map((s) => el('div', {}, el('a', { href: stepLink(i, s), class: 'name' }, engine.steps[s].name), stepFacts(engine.steps[s]), stepReasons(engine.steps[s]))),
      side.steps.length > shown.length ? el('p', { class: 'note' }, `and ${side.steps.length - shown.length} more`) : null);
  }

  // Arrow keys, Home and End move through the rows; Enter or Space opens one.
  keys(event) {
    const row = event.target.closest('tbody tr[tabindex]');
    if (!row || event.target !== row) return;
    const rows = [...this.body.querySelectorAll('tr[tabindex]')], at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + 12, PageUp: at - 12 }[event.key];
    if (event.key === 'Enter' || event.key === ' ') event.preventDefault(), row.click();
    if (to === undefined) return;
    event.preventDefault();
    const next = rows[Math.max(0, Math.min(rows.length - 1, to))];
    row.tabIndex = -1, next.tabIndex = 0, next.focus();
  }
}

function layerSection(report, rows) {
  const table = new LayerTable(report, rows), several = report.engines.length > 1;
  const categories = [...new Set(rows.map((r) => r.category))];
  const select = (label, options, change) => el('label', {}, label, el('select', { onchange: (e) => change(e.target.value) }, options.map(([v, text]) => el('option', { value: v }, text))));
  const pairs = report.engines.flatMap((_, to) => report.engines.map((__, from) => [from, to])).filter(([from, to]) => from < to).reverse();
  const controls = el('div', { class: 'controls' },
    el('input', { type: 'search', id: 'layer-filter', placeholder: 'Filter: name, kernel, precision', 'aria-label': 'Filter layers', oninput: (e) => table.set({ words: e.target.value }) }),
    select('category', [['', 'all'], ...categories.map((c) => [c, c])], (category) => table.set({ category })),
    several ? select('compare', pairs.map(([from, to]) => [`${from} ${to}`, `${letter(to)} with ${letter(from)}`]), (v) => { const [from, to] = v.split(' ').map(Number); table.set({ from, to }); }) : null,
    several ? select('show', [['all', 'all'], ['slower', 'slower beyond noise'], ['faster', 'faster beyond noise']], (only) => table.set({ only })) : null,
    choice('repeated layers', [['apart', 'apart'], ['together', 'together']], 'apart', (value) => table.set({ rows: value })), saveButton('save as CSV', 'layers.csv', 'text/csv', () => table.csv()), table.shown);
  return section('layers', several ? 'Layers, matched' : 'Layers',
    `Medians of the profiled runs. ${several ? 'Layers match by the ONNX nodes they stand for; a change counts as real where the two 95 % intervals do not meet. ' : ''}A row opens with Enter or a click.`,
    controls, el('div', { class: 'scroll', tabindex: -1 }, table.table));
}
