// The ONNX graph and the engine's steps side by side, linked both ways, and all that is known of what is selected.

const engineAt = (i) => data.report.engines[i];
const linkOf = (kind, i, name, at) => `#engine=${letter(i)}&${kind}=${encodeURIComponent(name)}${at ? `&at=${at}` : ''}`;
// A name stands for the first thing that has it; others carry their place.
function stepLink(i, s) {
  const { name } = engineAt(i).steps[s], first = engineAt(i).steps.findIndex((one) => one.name === name);
  return linkOf('step', i, name, first === s ? 0 : s);
}
const nodeLink = (i, n) => linkOf('node', i, engineAt(i).nodes[n].name, 0);

const facts = (rows) => el('dl', {}, rows.filter(([, value]) => value !== null && value !== '' && value !== undefined).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
const lines = (title, list) => (list.length ? [el('h4', {}, title), el('ul', {}, list.map((text) => el('li', {}, text)))] : null);

// Figures of a step; and in words, why nothing better ran.
function stepFacts(step) {
  const roof = step.roofline.roof ? `${percent(step.roofline.percent)} of ${step.roofline.roof}` : null;
  return facts([['time', `${interval(step.time)}, ${percent(step.share)}`], ['category', `${step.category} (${step.kind})`], ['precision', el('span', {}, precisionBadge(step.precision), ` → ${step.out_dtype}`)],
    ['kernel', el('span', { class: 'name' }, step.kernel)], ['problem', el('span', { class: 'name' }, step.problem)],
    ['work', step.flops ? `${flops(step.flops)}, ${digits(step.tflops)} TFLOP/s` : null], ['traffic', `${bytes(step.bytes)} at least, ${digits(step.gbytes)} GB/s`], ['roofline', roof],
    ['FP8', step.fp8 === 'yes' || step.fp8 === 'n/a' ? step.fp8 : `${step.fp8}: ${step.fp8_reason}`]]);
}
const stepReasons = (step) => [lines('the compiler says', step.notes), lines('better kernels that refused', step.refused)].flat().filter(Boolean);

function nodeKind(op) { return op === 'QuantizeLinear' ? 'q pill' : op === 'DequantizeLinear' ? 'dq pill' : ''; }
const shortOp = (op) => ({ QuantizeLinear: 'Q', DequantizeLinear: 'DQ' }[op] || op);

const shortBlock = (name) => name.split(/[./]/).slice(-2).join('.');
const hashParameters = (hash) => new URLSearchParams(hash.replace(/^#/, '').replace(/\+/g, '%2B'));
const layoutNote = (drawing) => (drawing && drawing.note ? el('p', { class: 'note bad' }, drawing.note) : null);
const kGraphKeys = 'Keys in a graph: arrows walk along the edges, Enter opens a block, Escape closes it, + and − zoom, 0 fits. The wheel zooms once the graph has the focus, or with Ctrl.';

class Explorer {
  constructor() {
    this.engine = data.report.engines.length - 1, this.views = new Map(), this.hot = true;
    this.detail = el('div', { class: 'pane detail', id: 'detail', tabindex: 0, 'aria-label': 'What is selected' });
    this.panes = el('div', { class: 'graphs' });
    this.search = new Search('Search steps and nodes', (has) => this.find(has));
    this.picker = data.report.engines.length > 1 ? choice('engine', data.report.engines.map((e, i) => [i, e.label]), this.engine, (i) => this.setEngine(i)) : null;
    const heat = el('input', { type: 'checkbox', id: 'heat', checked: true, onchange: (e) => { this.hot = e.target.checked; this.each((v) => { v.hot = this.hot; v.mark(); }); } });
    this.node = section('graph', 'Graph', 'The steps of the engine and the ONNX nodes they stand for. Choose a step to see its nodes, Q and DQ included; choose a node to see its step. Data runs downwards; a dashed node was folded into constants. Colour: share of time.',
      el('div', { class: 'controls' }, this.picker, this.search.input, el('label', {}, heat, 'heat by time'),
        key([['Q', 'var(--quantize)'], ['DQ', 'var(--dequantize)'], ['share of time', 'linear-gradient(to right, var(--paper), var(--hot))']])), this.search.results, data.drawings.map(layoutNote).find(Boolean), this.panes);
    this.setEngine(this.engine);
  }

  get report() { return engineAt(this.engine); }
  each(act) { const pair = this.views.get(this.engine); if (pair.steps) act(pair.steps); if (pair.nodes) act(pair.nodes); }

  setEngine(i) {
    this.engine = i;
    if (this.picker) this.picker.set(i);
    if (!this.views.has(i)) this.views.set(i, this.build(i));
    const { steps, nodes } = this.views.get(i);
    this.panes.replaceChildren(...[steps && steps.node, nodes && nodes.node, this.detail].filter(Boolean));
    this.each((v) => { if (v.hot !== this.hot) v.hot = this.hot, v.mark(); });
    this.describeEngine();
    if (this.search.input.value) this.search.again();
  }

  build(i) {
    const engine = engineAt(i), at = data.graphs[i], hottest = d3.max(engine.steps, (s) => s.share) || 1;
    const drawing = (k) => (k >= 0 ? data.drawings[k] : null);
    const share = (steps) => sum([...new Set(steps)], (s) => (s >= 0 ? engine.steps[s].share : 0));
    const time = (steps) => sum([...new Set(steps)], (s) => (s >= 0 ? engine.steps[s].time.median : 0));
    const ofNodes = (list) => list.map((n) => engine.nodes[n].step);
    // A block's heat is its part of the hottest block's time.
    const blockFacts = (of, noun) => {
      const steps = (list) => (of === 'steps' ? list : ofNodes(list)), { blocks } = drawing(at[of]) || { blocks: [] };
      const most = d3.max(blocks, (b) => share(steps(b.nodes))) || 1;
      return (b, list) => ({ text: shortBlock(blocks[b].name), heat: share(steps(list)) / most, small: `${plural(list.length, noun)} · ${ms(time(steps(list)))}`,
        tip: `${blocks[b].name}\n${plural(list.length, noun)}\n${ms(time(steps(list)))} (${percent(share(steps(list)))})` });
    };
    const describeStep = (s) => {
      const step = engine.steps[s];
      return { text: localName(step.name, step.block), small: `${step.category} · ${step.precision} · ${ms(step.time.median)}`, heat: step.share / hottest, edge: precisionColour(step.precision),
        kind: 'step', tip: `${step.name}\n${step.category} in ${step.precision}, ${ms(step.time.median)} (${percent(step.share)})\n${step.kernel}` };
    };
    const describeNode = (n) => {
      const node = engine.nodes[n], step = node.step >= 0 ? engine.steps[node.step] : null, pill = nodeKind(node.op);
      return { text: shortOp(node.op), small: pill ? '' : localName(node.name, node.block), kind: `${pill}${step ? '' : ' folded'}`.trim() || 'op', heat: pill || !step ? 0 : step.share / hottest,
        tip: `${node.name}\n${node.op}\n${step ? `in step ${step.name}, ${ms(step.time.median)}` : 'folded into constants'}` };
    };
    const view = (of, title, describe, noun, choose) => drawing(at[of]) && new GraphView({ id: of, hot: this.hot, title, drawing: drawing(at[of]), describe, describeBlock: blockFacts(of, noun), choose,
      chooseBlock: (b) => this.describeBlock(of, b) });
    return { steps: view('steps', `Engine, ${plural(engine.steps.length, 'step')}`, describeStep, 'step', (s) => visit(stepLink(i, s))),
      nodes: view('nodes', `ONNX, ${plural(engine.nodes.length, 'node')}`, describeNode, 'node', (n) => visit(nodeLink(i, n))) };
  }

  // -- what is selected ---------------------------------------------------------------------------------------------------------------
  showStep(s) {
    const step = this.report.steps[s], { steps, nodes } = this.views.get(this.engine);
    if (steps) steps.show(s, [], true);
    if (nodes) nodes.show(null, step.source, true);
    const quantizers = step.source.filter((n) => nodeKind(this.report.nodes[n].op));
    this.detail.replaceChildren(el('h3', { class: 'name' }, step.name), stepFacts(step),
      el('h4', {}, `stands for ${plural(step.source.length, 'ONNX node')}, ${count(quantizers.length)} of them Q or DQ`), el('ul', { id: 'sources' }, step.source.map((n) => this.nodeItem(n))), ...stepReasons(step));
    say(`${step.name}, ${ms(step.time.median)}, ${step.source.length} nodes`);
  }

  nodeItem(n) {
    const node = this.report.nodes[n];
    const colour = { QuantizeLinear: 'var(--quantize)', DequantizeLinear: 'var(--dequantize)' }[node.op] || 'var(--line)';
    return el('li', {}, el('a', { href: nodeLink(this.engine, n), class: 'name', title: node.name }, localName(node.name, node.block)), ' ', el('span', { class: 'badge', style: { '--fill': colour } }, node.op));
  }

  showNode(n) {
    const node = this.report.nodes[n], { steps, nodes } = this.views.get(this.engine), step = node.step >= 0 ? this.report.steps[node.step] : null;
    if (nodes) nodes.show(n, step ? step.source : [], true);
    if (steps) steps.show(null, step ? [node.step] : [], true);
    this.detail.replaceChildren(el('h3', { class: 'name' }, node.name), facts([['operator', node.op], ['step', step ? el('a', { class: 'name', href: stepLink(this.engine, node.step) }, step.name) : 'none: folded into constants, merged or dead']]),
      ...[lines('reads', node.inputs.map((t) => el('span', { class: 'name' }, t || '(omitted)'))), lines('writes', node.outputs.map((t) => el('span', { class: 'name' }, t)))].flat().filter(Boolean),
      ...(step ? [el('h4', {}, 'its step'), stepFacts(step), ...stepReasons(step)] : []));
    say(`${node.name}, ${node.op}`);
  }

  describeBlock(of, b) {
    const drawing = data.drawings[data.graphs[this.engine][of]], list = drawing.blocks[b].nodes;
    const steps = of === 'steps' ? list : [...new Set(list.map((n) => this.report.nodes[n].step))].filter((s) => s >= 0);
    const pair = this.views.get(this.engine), other = of === 'steps' ? pair.nodes : pair.steps;
    const across = of === 'steps' ? steps.flatMap((s) => this.report.steps[s].source) : steps;
    if (other) other.linked = new Set(across), other.selected = null, other.mark();
    this.detail.replaceChildren(el('h3', { class: 'name' }, drawing.blocks[b].name), facts([['time', `${ms(sum(steps, (s) => this.report.steps[s].time.median))}, ${percent(sum(steps, (s) => this.report.steps[s].share))}`]]),
      el('p', {}, el('button', { type: 'button', onclick: () => pair[of].toggle(b) }, 'open or close')),
      el('h4', {}, plural(steps.length, 'step')), el('ul', {}, steps.map((s) => el('li', {}, el('a', { class: 'name', href: stepLink(this.engine, s) }, localName(this.report.steps[s].name, this.report.steps[s].block)), ` ${ms(this.report.steps[s].time.median)}`))));
  }

  describeEngine() {
    this.detail.replaceChildren(el('h3', {}, this.report.label), el('p', { class: 'muted' }, 'Nothing is selected. Choose a step, a node or a block, or search.'),
      el('p', { class: 'muted' }, kGraphKeys));
  }

  find(has) {
    const pick = (list, of) => list.map((_, i) => i).filter((i) => has(of(list[i])));
    const steps = pick(this.report.steps, (s) => `${s.name} ${s.kernel} ${s.category}`), nodes = pick(this.report.nodes, (n) => `${n.name} ${n.op}`);
    const pair = this.views.get(this.engine), half = kMostFound / 2;
    if (pair.steps) pair.steps.found = new Set(steps), pair.steps.mark();
    if (pair.nodes) pair.nodes.found = new Set(nodes), pair.nodes.mark();
    const items = [...steps.slice(0, half).map((s) => [stepLink(this.engine, s), this.report.steps[s].name, 'step']), ...nodes.map((n) => [nodeLink(this.engine, n), this.report.nodes[n].name, this.report.nodes[n].op])];
    return { summary: `${plural(steps.length, 'step')}, ${plural(nodes.length, 'node')}`, items };
  }

  // "#engine=C&step=NAME", "#engine=C&node=NAME". False: the hash says nothing of a step or node that is here.
  follow(hash) {
    const wanted = hashParameters(hash);
    const kind = wanted.has('step') ? 'step' : wanted.has('node') ? 'node' : null;
    if (!kind) return false;
    const engine = wanted.has('engine') ? wanted.get('engine').charCodeAt(0) - 65 : this.engine;
    if (!(engine >= 0 && engine < data.report.engines.length)) return false;
    const list = kind === 'step' ? engineAt(engine).steps : engineAt(engine).nodes, at = Number(wanted.get('at') || NaN);
    const index = list[at] && list[at].name === wanted.get(kind) ? at : list.findIndex((one) => one.name === wanted.get(kind));
    if (index < 0) return false;
    if (engine !== this.engine) this.setEngine(engine);
    if (kind === 'step') this.showStep(index); else this.showNode(index);
    return true;
  }
}
