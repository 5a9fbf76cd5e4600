// From a drawing (src/report/drawing.h) and the blocks that are open to what is on paper. The drawing has every block collapsed; an open
// block takes the room of its pattern, and what lies beside and below it, lines included, moves aside by as much.

const kFramePad = 14, kFrameTitle = 22;

class GraphLayout {
  constructor(drawing) {
    this.drawing = drawing;
    this.blockOf = new Map();  // node -> block
    this.itemOf = new Map();   // block -> item
    drawing.blocks.forEach((b, i) => b.nodes.forEach((n) => this.blockOf.set(n, i)));
    drawing.items.forEach((item, i) => { if (item < 0) this.itemOf.set(-1 - item, i); });
  }

  box(pattern, i) {
    const b = pattern.boxes;
    return { x: b[4 * i], y: b[4 * i + 1], w: b[4 * i + 2], h: b[4 * i + 3] };
  }

  // Open blocks with their collapsed boxes and how much they grow.
  grown(open) {
    return [...open].map((block) => {
      const box = this.box(this.drawing.top, this.itemOf.get(block)), pattern = this.drawing.patterns[this.drawing.blocks[block].pattern];
      const w = pattern.w + 2 * kFramePad, h = pattern.h + 2 * kFramePad + kFrameTitle;
      return { block, pattern, box, w, h, top: box.y - box.h / 2, bottom: box.y + box.h / 2, dx: Math.max(0, w - box.w), dy: Math.max(0, h - box.h) };
    }).sort((a, b) => a.top - b.top);
  }

  // The map from the collapsed plane to the paper. Open blocks side by side make room downwards once, for the tallest of them.
  warp(grown) {
    const bands = [];
    for (const g of grown) {
      const last = bands[bands.length - 1];
      if (last && g.top < last.bottom) last.bottom = Math.max(last.bottom, g.bottom), last.dy = Math.max(last.dy, g.dy);
      else bands.push({ top: g.top, bottom: g.bottom, dy: g.dy });
    }
    const mapY = (y) => bands.reduce((out, b) => out + (y >= b.bottom ? b.dy : y > b.top ? (b.dy * (y - b.top)) / (b.bottom - b.top) : 0), y);
    const mapX = (x, y) => grown.reduce((out, g) => {
      if (y < g.top - 1 || y > g.bottom + 1) return out;
      const off = x - g.box.x;
      return out + (Math.abs(off) >= g.box.w / 2 ? (Math.sign(off) * g.dx) / 2 : (off / g.box.w) * g.dx);
    }, x);
    return (x, y) => [mapX(x, y), mapY(y)];
  }

  // {nodes: [{key, node | block, x, y, w, h}], frames: [...], wires: [{from, to, path}]}: keys are "n7" and "b3".
  place(open) {
    const { top, items, blocks } = this.drawing, grown = this.grown(open), map = this.warp(grown), isOpen = new Map(grown.map((g) => [g.block, g]));
    const nodes = [], frames = [], wires = [];
    items.forEach((item, i) => {
      const box = this.box(top, i);
      if (item >= 0 || !isOpen.has(-1 - item)) {
        const [x, y] = map(box.x, box.y);
        nodes.push({ ...box, x, y, ...(item >= 0 ? { key: `n${item}`, node: item } : { key: `b${-1 - item}`, block: -1 - item }) });
        return;
      }
      const g = isOpen.get(-1 - item), x = map(box.x, box.y)[0] - g.w / 2, y = map(box.x, g.top)[1];
      frames.push({ key: `f${g.block}`, block: g.block, x, y, w: g.w, h: g.h });
      const inner = (px, py) => [px + x + kFramePad, py + y + kFramePad + kFrameTitle];
      blocks[g.block].nodes.forEach((node, k) => {
        const b = this.box(g.pattern, k), [bx, by] = inner(b.x, b.y);
        nodes.push({ ...b, key: `n${node}`, node, x: bx, y: by });
      });
      for (const [from, to, points] of g.pattern.curves)
        wires.push({ from: this.keyIn(g.block, from), to: this.keyIn(g.block, to), path: this.path(points, inner) });
    });
    const name = (i) => (items[i] >= 0 ? `n${items[i]}` : `${isOpen.has(-1 - items[i]) ? 'f' : 'b'}${-1 - items[i]}`);
    for (const [from, to, points] of top.curves) wires.push({ from: name(from), to: name(to), path: this.path(points, map) });
    return { nodes, frames, wires, bounds: this.bounds(nodes, frames) };
  }

  keyIn(block, k) { return k < 0 ? `f${block}` : `n${this.drawing.blocks[block].nodes[k]}`; }

  path(points, map) {
    const out = [];
    for (let i = 0; i < points.length; i += 2) out.push(map(points[i], points[i + 1]).map((v) => Math.round(v * 10) / 10).join(','));
    return `M${out[0]}C${out.slice(1).join(' ')}`;
  }

  bounds(nodes, frames) {
    const all = [...nodes.map((n) => [n.x - n.w / 2, n.y - n.h / 2, n.x + n.w / 2, n.y + n.h / 2]), ...frames.map((f) => [f.x, f.y, f.x + f.w, f.y + f.h])];
    return { left: d3.min(all, (b) => b[0]) || 0, top: d3.min(all, (b) => b[1]) || 0, right: d3.max(all, (b) => b[2]) || 1, bottom: d3.max(all, (b) => b[3]) || 1 };
  }
}
