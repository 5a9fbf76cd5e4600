// The page of an ONNX file: what is in it, what contradicts its types, and its graph.

const dtypeOf = (type) => (type.match(/^[a-z0-9]+/) || [''])[0];
const onnxLink = (n) => `#node=${encodeURIComponent(data.nodes[n].name)}${data.nodes.findIndex((one) => one.name === data.nodes[n].name) === n ? '' : `&at=${n}`}`;

class OnnxExplorer {
  constructor() {
    this.detail = el('div', { class: 'pane detail', id: 'detail', tabindex: 0, 'aria-label': 'What is selected' });
    this.wrong = new Set(data.violations.map((v) => v.node).filter((n) => n >= 0));
    this.producer = new Map(), this.readers = new Map();
    data.nodes.forEach((node, n) => {
      node.outputs.forEach(([name]) => this.producer.set(name, n));
      node.inputs.forEach(([name]) => { if (name) this.readers.set(name, [...(this.readers.get(name) || []), n]); });
    });
    const describe = (n) => this.describe(n), blocks = data.drawing.blocks;
    this.view = new GraphView({ id: 'nodes', title: `ONNX, ${plural(data.nodes.length, 'node')}`, drawing: data.drawing, describe, choose: (n) => visit(onnxLink(n)),
      describeBlock: (b, list) => ({ text: shortBlock(blocks[b].name), small: `${plural(list.length, 'node')}, ${count(list.filter((n) => nodeKind(data.nodes[n].op)).length)} of them Q or DQ`,
        tip: `${blocks[b].name}\n${plural(list.length, 'node')}` }),
      chooseBlock: (b) => this.showBlock(b) });
    this.search = new Search('Search nodes, operators, tensors', (has) => {
      const hits = data.nodes.map((_, n) => n).filter((n) => has([data.nodes[n].name, data.nodes[n].op, ...data.nodes[n].inputs.map((t) => t[0]), ...data.nodes[n].outputs.map((t) => t[0])].join(' ')));
      this.view.found = new Set(hits), this.view.mark();
      return { summary: plural(hits.length, 'node'), items: hits.map((n) => [onnxLink(n), data.nodes[n].name, data.nodes[n].op]) };
    });
    const types = [...new Set(data.nodes.flatMap((node) => node.outputs.map((t) => dtypeOf(t[1]))))].filter((t) => kPrecisions[t]);
    this.node = section('graph', 'Graph', 'Data runs downwards. Blocks that repeat are closed: Enter or a double click opens one. A node has the colour of the type that it writes.',
      el('div', { class: 'controls' }, this.search.input, key([['Q', 'var(--quantize)'], ['DQ', 'var(--dequantize)'], ...types.map((t) => [t, precisionColour(t)])])),
      this.search.results, layoutNote(data.drawing), el('div', { class: 'graphs alone' }, this.view.node, this.detail));
    this.detail.replaceChildren(el('p', { class: 'muted' }, 'Nothing is selected. Choose a node or a block, or search.'), el('p', { class: 'muted' }, kGraphKeys));
  }

  describe(n) {
    const node = data.nodes[n], pill = nodeKind(node.op), type = node.outputs.length ? node.outputs[0][1] : '';
    return { text: shortOp(node.op), small: pill ? '' : localName(node.name, node.block), kind: `${pill || 'op'}${this.wrong.has(n) ? ' wrong' : ''}`, edge: pill ? null : precisionColour(dtypeOf(type)),
      tip: [node.name, node.op + (node.attributes ? ` (${node.attributes})` : ''), ...node.outputs.map(([name, t]) => `${name}: ${t || 'type unknown'}`)].join('\n') };
  }

  tensor([name, type, note], others) {
    return [el('span', { class: 'name' }, note === 'omitted' ? '(omitted)' : name), ' ', el('span', { class: 'muted' }, [type, note && note !== 'omitted' ? (note === 'constant' ? note : `= ${note}`) : ''].filter(Boolean).join(' ')),
      others.slice(0, 4).map((n) => [' ', el('a', { href: onnxLink(n), class: 'name' }, shortOp(data.nodes[n].op))]), others.length > 4 ? ` and ${others.length - 4} more` : ''];
  }

  showNode(n) {
    const node = data.nodes[n], wrong = data.violations.filter((v) => v.node === n);
    this.view.show(n, [], true);
    this.detail.replaceChildren(el('h3', { class: 'name' }, node.name), facts([['operator', node.op], ['attributes', node.attributes ? el('span', { class: 'name' }, node.attributes) : null], ['block', node.block]]),
      ...wrong.map((v) => el('p', { class: 'bad' }, `${v.what}. ${v.fix}`)),
      ...[lines('reads', node.inputs.map((t) => this.tensor(t, this.producer.has(t[0]) ? [this.producer.get(t[0])] : []))), lines('writes', node.outputs.map((t) => this.tensor(t, this.readers.get(t[0]) || [])))].flat().filter(Boolean));
    say(`${node.name}, ${node.op}`);
  }

  showBlock(b) {
    const { name, nodes } = data.drawing.blocks[b];
    this.detail.replaceChildren(el('h3', { class: 'name' }, name), el('p', {}, el('button', { type: 'button', onclick: () => this.view.toggle(b) }, 'open or close')),
      el('h4', {}, plural(nodes.length, 'node')), el('ul', {}, nodes.map((n) => el('li', {}, el('a', { class: 'name', href: onnxLink(n) }, localName(data.nodes[n].name, data.nodes[n].block)), ` ${data.nodes[n].op}`))));
  }

  // "#node=NAME&at=PLACE".
  follow(hash) {
    const wanted = hashParameters(hash), at = Number(wanted.get('at') || NaN);
    if (!wanted.has('node')) return false;
    const index = data.nodes[at] && data.nodes[at].name === wanted.get('node') ? at : data.nodes.findIndex((one) => one.name === wanted.get('node'));
    if (index >= 0) this.showNode(index);
    return index >= 0;
  }
}

function onnxOverview(file) {
  const q = file.quantization, tiles = [['nodes', count(file.nodes)], ['opset', `${file.opset}`], ['file', bytes(file.bytes)], ['constants', bytes(file.constants.bytes)],
    ['activations quantized', count(q.activation_q)], ['weights dequantized', count(q.weight_dq)], ['type violations', count(file.type_violations)]];
  const violations = data.violations.slice(0, 20).map((v) => el('li', {}, v.node >= 0 ? el('a', { class: 'name', href: onnxLink(v.node) }, data.nodes[v.node].name) : el('span', { class: 'name' }, 'the graph'),
    el('span', { class: 'value muted' }, v.rule), el('span', { class: 'why' }, `${v.what}. ${v.fix}`)));
  const types = Object.entries(file.constants.by_dtype);
  return el('section', { id: 'overview', 'aria-label': 'Overview' }, el('h1', {}, file.file.split('/').pop()),
    el('p', { class: 'lead' }, [file.name, file.producer, `${types.map(([t, s]) => `${t} ${bytes(s.bytes)} in ${count(s.count)}`).join(', ')}`].filter(Boolean).join(' · ')),
    el('div', { class: 'tiles' }, tiles.map(([title, text]) => el('div', { class: 'tile single', 'data-tile': title }, el('h3', {}, title), el('div', { class: 'row' }, el('span', { class: `value${title === 'type violations' && file.type_violations ? ' bad' : ''}` }, text))))),
    violations.length ? block('What contradicts its types', el('ul', { class: 'findings', id: 'violations' }, violations),
      file.type_violations > violations.length ? el('p', { class: 'note' }, `${plural(file.type_violations - violations.length, 'more')}: octet check lists all.`) : null) : null);
}

function drawOperators(node, ops, width) {
  const rows = Object.entries(ops).sort((a, b) => b[1] - a[1]), high = 20, left = Math.min(170, width * 0.4), height = rows.length * high;
  const x = d3.scaleLinear().domain([0, d3.max(rows, (r) => r[1]) || 1]).range([left, width - 60]);
  const svg = svgIn(node, 'Nodes by operator, from zero').attr('viewBox', `0 0 ${width} ${height}`).attr('height', height);
  const row = svg.selectAll('g').data(rows).join('g').attr('transform', (d, i) => `translate(0,${i * high})`);
  row.append('text').attr('y', 14).text((d) => clip(d[0], Math.floor(left / 7)));
  row.append('rect').attr('x', left).attr('y', 3).attr('height', 13).attr('width', (d) => x(d[1]) - left).style('fill', (d) => ({ QuantizeLinear: 'var(--quantize)', DequantizeLinear: 'var(--dequantize)' }[d[0]] || 'var(--other)'));
  row.append('text').attr('x', (d) => x(d[1]) + 6).attr('y', 14).text((d) => count(d[1]));
}

function onnxFacts(file) {
  const tensors = (list) => list.map((t) => `${t.name}  ${t.dtype || 'type unknown'}[${(t.dims || []).join(', ')}]`).join('\n');
  const rows = [['file', file.file], ['graph', file.name], ['producer', file.producer], ['inputs', tensors(file.inputs)], ['outputs', tensors(file.outputs)]].filter((r) => r[1]);
  const site = (s) => el('tr', {}, el('td', { class: 'first name', title: s.tensor }, s.tensor), el('td', {}, precisionBadge(s.dtype)), el('td', { class: 'number' }, isNumber(s.scale) ? s.scale.toPrecision(4) : '–'), el('td', {}, s.consumers.join(', ') || 'nothing'));
  const { sites } = file.quantization;
  return section('facts', 'What is in it', null, el('div', { class: 'even' }, block('Nodes by operator', fitted(el('div', { id: 'operators' }), (node, width) => drawOperators(node, file.ops, width))),
    block('File', el('div', { class: 'scroll short' }, el('table', { class: 'plain' }, el('tbody', {}, rows.map(([t, v]) => el('tr', {}, el('th', { scope: 'row' }, t), el('td', { class: 'name' }, v)))))))),
  sites.length ? block('Quantized activations', el('div', { class: 'scroll', tabindex: 0 }, el('table', { id: 'sites' }, el('thead', {}, el('tr', {}, ['tensor', 'type', 'scale', 'read by'].map((t, i) => el('th', { scope: 'col', class: i === 2 ? 'number' : null }, t)))), el('tbody', {}, sites.map(site))))) : null);
}

function onnxPage() {
  const explorer = new OnnxExplorer();
  return { explorer, sections: [onnxOverview(data.facts), explorer.node, onnxFacts(data.facts)] };
}
