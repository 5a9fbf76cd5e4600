// One graph as SVG in a pane: zoom, blocks that open in place, one selected thing, and keys that walk along the edges.
//
// options: {title, drawing, hot: whether heat is shown, describe(node) -> {text, small, kind, heat, tip}, describeBlock(block, nodes) -> {text, small, heat, tip},
//           choose(node), chooseBlock(block)}

class GraphView {
  constructor(options) {
    this.options = options, this.layout = new GraphLayout(options.drawing);
    this.open = new Set(), this.linked = new Set(), this.found = new Set(), this.selected = null, this.hot = options.hot;
    const button = (text, label, act) => el('button', { type: 'button', title: label, 'aria-label': label, onclick: act }, text);
    this.node = el('div', { class: 'pane', 'data-graph': options.id }, el('header', {}, el('h3', {}, options.title),
      button('⊟', 'collapse all blocks', () => this.setOpen([])), button('⊞', 'open all blocks', () => this.setOpen(options.drawing.blocks.keys())),
      button('−', 'smaller', () => this.scale(1 / 1.4)), button('+', 'larger', () => this.scale(1.4)), button('⤢', 'fit', () => this.fit(true))));
    this.svg = d3.select(this.node).append('svg').attr('tabindex', 0).attr('role', 'application')
      .attr('aria-label', `${options.title}. Arrow keys walk along the edges, Enter opens a block, Escape closes it, plus and minus zoom.`);
    this.paper = this.svg.append('g');
    this.layers = { frames: this.paper.append('g'), wires: this.paper.append('g'), nodes: this.paper.append('g') };
    // The wheel belongs to the page until the graph has the focus.
    this.zoom = d3.zoom().scaleExtent([0.02, 4]).filter(() => d3.event.type !== 'wheel' || d3.event.ctrlKey || document.activeElement === this.svg.node())
      .on('zoom', () => this.paper.attr('transform', d3.event.transform));
    this.svg.call(this.zoom).on('dblclick.zoom', null).on('keydown', () => this.keys(d3.event));
    this.draw();
    let sized = false;
    new ResizeObserver(() => { if (!sized && this.node.clientWidth) sized = true, this.fit(false); }).observe(this.node);
  }

  setOpen(blocks) {
    this.open = new Set(blocks);
    this.draw(), this.fit(this.open.size > 0);
  }

  toggle(block) {
    if (!this.open.delete(block)) this.open.add(block);
    this.draw();
    say(`${this.options.drawing.blocks[block].name} ${this.open.has(block) ? 'open' : 'closed'}`);
  }

  // -- drawing ----------------------------------------------------------------------------------------------------------------------
  facts(d) {
    return d.block === undefined ? this.options.describe(d.node) : this.options.describeBlock(d.block, this.options.drawing.blocks[d.block].nodes);
  }

  draw() {
    this.placed = this.layout.place(this.open);
    this.at = new Map([...this.placed.nodes, ...this.placed.frames].map((n) => [n.key, n]));
    this.layers.wires.selectAll('path').data(this.placed.wires).join('path').attr('class', 'wire').attr('d', (d) => d.path);
    const frames = this.layers.frames.selectAll('g').data(this.placed.frames, (d) => d.key).join((enter) => {
      const g = enter.append('g').attr('class', 'frame');
      g.append('rect').attr('rx', 8), g.append('text').attr('x', 10).attr('y', 17).on('click', (d) => this.toggle(d.block));
      return g;
    });
    frames.attr('transform', (d) => `translate(${d.x},${d.y})`).attr('data-block', (d) => this.options.drawing.blocks[d.block].name);
    frames.select('rect').attr('width', (d) => d.w).attr('height', (d) => d.h);
    frames.select('text').text((d) => `⊟ ${this.options.drawing.blocks[d.block].name}`);
    const nodes = this.layers.nodes.selectAll('g.node').data(this.placed.nodes, (d) => d.key).join((enter) => this.enter(enter));
    nodes.attr('transform', (d) => `translate(${d.x},${d.y})`);
    this.mark();
  }

  enter(selection) {
    const view = this, g = selection.append('g').attr('data-key', (d) => d.key).on('click', (d) => this.choose(d));
    g.on('dblclick', (d) => { if (d.block !== undefined) this.toggle(d.block); });
    g.on('mousemove', function (d) { showTip(view.facts(d).tip, d3.event.clientX, d3.event.clientY); }).on('mouseleave', hideTip);
    g.append('rect').attr('x', (d) => -d.w / 2).attr('y', (d) => -d.h / 2).attr('width', (d) => d.w).attr('height', (d) => d.h).attr('rx', (d) => (d.h < 30 ? d.h / 2 : 6));
    g.each(function (d) {
      const facts = view.facts(d), node = d3.select(this), room = Math.floor((d.w - 8) / 6);
      if (!facts.small) node.append('text').attr('y', 4).text(clip(facts.text, room));
      else node.append('text').attr('y', -2).text(clip(facts.text, room)), node.append('text').attr('class', 'small').attr('y', 11).text(clip(facts.small, Math.floor(room * 1.16)));
    });
    return g;
  }

  // What is selected, linked, found, hot: classes alone.
  mark() {
    const view = this;
    this.layers.nodes.selectAll('g.node, g[data-key]').each(function (d) {
      const facts = view.facts(d), inside = d.block === undefined ? [d.node] : view.options.drawing.blocks[d.block].nodes;
      const some = (set) => set.size > 0 && inside.some((n) => set.has(n));
      const classes = ['node', d.block === undefined ? facts.kind : 'block', view.hot && 'heat', some(view.linked) && 'linked', some(view.found) && 'found', d.key === view.selected && 'selected'];
      this.setAttribute('class', classes.filter(Boolean).join(' '));
      this.style.setProperty('--heat', `${Math.round(100 * Math.min(1, facts.heat || 0))}%`);
      if (facts.edge) this.style.setProperty('--edge', facts.edge);
    });
  }

  // -- selection --------------------------------------------------------------------------------------------------------------------
  choose(d) {
    // At once: a key that follows finds it, before the page hears of its new hash.
    this.selected = d.key, this.mark();
    if (d.block !== undefined) this.options.chooseBlock(d.block);
    else this.options.choose(d.node);
  }

  // Shows nodes, their blocks opened: `selected` of its own (or null), `linked` ones from the other graph.
  show(selected, linked, centre) {
    const wanted = selected === null ? linked : [selected];
    let opened = false;
    // Of many linked nodes in many blocks only the first block is opened: a merged step is of one block as a rule.
    for (const n of wanted.slice(0, 64)) {
      const block = this.layout.blockOf.get(n);
      if (block !== undefined && !this.open.has(block)) this.open.add(block), opened = true;
    }
    this.linked = new Set(linked), this.selected = selected === null ? null : `n${selected}`;
    if (opened) this.draw(); else this.mark();
    if (centre && wanted.length) this.centre(wanted.map((n) => this.at.get(`n${n}`)).filter(Boolean));
  }

  // -- view -------------------------------------------------------------------------------------------------------------------------
  size() { const box = this.svg.node().getBoundingClientRect(); return [box.width || 400, box.height || 500]; }
  // All of it, or at first its top at a legible size.
  fit(whole) {
    const [w, h] = this.size(), b = this.placed.bounds, pad = 16;
    const across = (w - 2 * pad) / (b.right - b.left), down = (h - 2 * pad) / (b.bottom - b.top);
    const k = Math.min(1, whole ? Math.min(across, down) : Math.max(Math.min(across, 1), 0.3));
    const y = whole ? h / 2 - (k * (b.top + b.bottom)) / 2 : pad - k * b.top;
    this.svg.call(this.zoom.transform, d3.zoomIdentity.translate(w / 2 - (k * (b.left + b.right)) / 2, y).scale(k));
  }
  scale(by) { this.svg.call(this.zoom.scaleBy, by); }
  centre(boxes) {
    const [w, h] = this.size(), pad = 40;
    const left = d3.min(boxes, (b) => b.x - b.w / 2), right = d3.max(boxes, (b) => b.x + b.w / 2), top = d3.min(boxes, (b) => b.y - b.h / 2), bottom = d3.max(boxes, (b) => b.y + b.h / 2);
    const k = Math.max(0.25, Math.min(1, (w - pad) / (right - left), (h - pad) / (bottom - top)));
    this.svg.call(this.zoom.transform, d3.zoomIdentity.translate(w / 2 - (k * (left + right)) / 2, h / 2 - (k * (top + bottom)) / 2).scale(k));
  }

  // -- keys -------------------------------------------------------------------------------------------------------------------------
  keys(event) {
    const act = { '+': () => this.scale(1.4), '=': () => this.scale(1.4), '-': () => this.scale(1 / 1.4), 0: () => this.fit(true),
      ArrowDown: () => this.walk(1), ArrowUp: () => this.walk(-1), ArrowLeft: () => this.aside(-1), ArrowRight: () => this.aside(1),
      Enter: () => this.enterBlock(), ' ': () => this.enterBlock(), Escape: () => this.leaveBlock() }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(), act();
  }
  here() { return this.at.get(this.selected) || this.placed.nodes.slice().sort((a, b) => a.y - b.y)[0]; }
  go(next) {
    if (!next) return;
    if (next.key[0] === 'f') next = this.placed.nodes.find((n) => n.key === `n${this.options.drawing.blocks[next.block].nodes[0]}`);
    this.choose(next);
    this.reveal(this.at.get(next.key) || next);
    say(this.facts(next).tip.split('\n')[0]);
  }
  // Along the first edge, down or up; the view follows.
  walk(way) {
    if (!this.at.has(this.selected)) return this.go(this.here());
    const [a, b] = way > 0 ? ['from', 'to'] : ['to', 'from'];
    const ends = this.placed.wires.filter((w) => w[a] === this.selected).map((w) => this.at.get(w[b])).filter(Boolean);
    const outside = ends.find((e) => e.key[0] !== 'f' || this.layout.blockOf.get(this.at.get(this.selected).node) !== e.block);
    if (outside) return this.go(outside);
    const frame = ends[0];  // out of its own block
    const beyond = frame && this.placed.wires.filter((w) => w[a] === frame.key).map((w) => this.at.get(w[b])).find((n) => n && this.layout.blockOf.get(n.node) !== frame.block);
    this.go(beyond);
  }
  aside(way) {
    const from = this.here();
    const near = this.placed.nodes.filter((n) => Math.abs(n.y - from.y) < 30 && Math.sign(n.x - from.x) === way).sort((a, b) => Math.abs(a.x - from.x) - Math.abs(b.x - from.x));
    this.go(near[0]);
  }
  enterBlock() {
    const at = this.here();
    if (at.block !== undefined) this.toggle(at.block), this.go(this.at.get(`n${this.options.drawing.blocks[at.block].nodes[0]}`));
  }
  leaveBlock() {
    const at = this.here(), block = at.node === undefined ? undefined : this.layout.blockOf.get(at.node);
    if (block === undefined || !this.open.has(block)) return;
    this.toggle(block), this.go(this.at.get(`b${block}`));
  }
  reveal(n) {
    const t = d3.zoomTransform(this.svg.node()), [w, h] = this.size(), [x, y] = t.apply([n.x, n.y]);
    if (x < 60 || x > w - 60 || y < 40 || y > h - 40) this.svg.call(this.zoom.translateTo, n.x, n.y);
  }
}
