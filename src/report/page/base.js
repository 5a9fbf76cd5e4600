// What every part of the page uses: the data, elements made without markup, numbers with their units, colours by meaning, the tooltip.
// Files of this folder are put into one function in the order of their names, but main.js comes last and starts the page. Strings of the data become text
// nodes and attributes only.

const data = JSON.parse(document.getElementById('data').textContent);

// el('td', {class: 'number', onclick: f, style: {'--fill': c}}, 'text', child, ...): an HTML element. null children are skipped.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// -- numbers ----------------------------------------------------------------------------------------------------------------------
const isNumber = (v) => typeof v === 'number' && isFinite(v);
// Four digits that count, and never fewer than the whole ones.
function digits(v) {
  if (!isNumber(v)) return '–';
  const size = Math.abs(v);
  return v.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
}
const ms = (v) => (isNumber(v) ? `${digits(v)} ms` : '–');
const signed = (v) => (isNumber(v) ? (v > 0 ? '+' : v < 0 ? '−' : '') + digits(Math.abs(v)) : '–');
const percent = (v, places = 1) => (isNumber(v) ? `${v.toFixed(places)} %` : '–');
const times = (v) => (isNumber(v) ? `${v.toFixed(2)}×` : '–');
const kWhole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });  // made once: making one takes longer than all its uses
const count = (v) => (isNumber(v) ? kWhole.format(v) : '–');
function scaled(v, base, units) {
  if (!isNumber(v)) return '–';
  let power = 0;
  while (Math.abs(v) >= base && power < units.length - 1) v /= base, ++power;
  return `${power === 0 ? v : v >= 100 ? v.toFixed(0) : v.toFixed(1)} ${units[power]}`;
}
const bytes = (v) => scaled(v, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
const flops = (v) => scaled(v, 1000, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP']);
const interval = (e) => `${digits(e.median)} ms, 95 % in [${digits(e.low)}, ${digits(e.high)}]`;
const sum = (list, of) => list.reduce((total, one) => total + (of(one) || 0), 0);
const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

// -- names ------------------------------------------------------------------------------------------------------------------------
const letter = (i) => String.fromCharCode(65 + i);
// "A fp16" -> "fp16": the letter stands beside it.
const bareLabel = (engine, i) => (engine.label.startsWith(`${letter(i)} `) ? engine.label.slice(2) : engine.label);
// What is left of a name inside its block: "layers.3.mlp.fc1" in "layers.3" -> "mlp.fc1".
function localName(name, block) {
  if (!block || !name.startsWith(block)) return name;
  return name.slice(block.length).replace(/^[./]+/, '') || name;
}
// A block or layer without its numbers: what repeats.
const roleOf = (name, block) => (block ? `${block.replace(/\d+/g, '*')} ${localName(name, block)}` : name);
const clip = (text, length) => (text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`);

// -- colours ----------------------------------------------------------------------------------------------------------------------
const kPrecisions = { f32: '--f32', f16: '--f16', bf16: '--bf16', e4m3: '--e4m3', e5m2: '--e5m2' };
const precisionColour = (name) => `var(${kPrecisions[name] || '--integer'})`;
const kCategoryColours = { gemm: '--gemm', attention: '--attention', 'unfused attention': '--unfused', normalisation: '--normalisation' };
const categoryColour = (name) => `var(${kCategoryColours[name] || '--other'})`;
const engineColour = (i) => `var(--engine-${i === data.report.engines.length - 1 ? 2 : i === 0 ? 0 : 1})`;

function key(entries) {  // [[name, colour], ...]
  return el('div', { class: 'key' }, entries.map(([name, colour]) =>
    el('span', {}, el('span', { class: 'swatch', style: { '--fill': colour } }), name)));
}
const precisionBadge = (name) => el('span', { class: 'badge', style: { '--fill': precisionColour(name) } }, name || '–');

// -- tooltip, announcements -------------------------------------------------------------------------------------------------------
const tip = document.getElementById('tip');
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}
const hideTip = () => { tip.hidden = true; };
// Gives the elements of a d3 selection a tooltip, by pointer and by focus. `text(datum)`: lines. A chart is one stop of the Tab key;
// arrow keys, Home and End move among its elements, Enter and Space click.
function withTip(selection, text) {
  return selection.attr('data-tip', '').attr('tabindex', -1)
    .on('keydown', function () {
      const all = [...this.ownerSVGElement.querySelectorAll('[data-tip]')], at = all.indexOf(this), { key } = d3.event;
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[key];
      if (key === 'Enter' || key === ' ') this.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      else if (to === undefined) return;
      else if (all[to]) all.forEach((one, i) => one.setAttribute('tabindex', i === to ? 0 : -1)), all[to].focus();
      d3.event.preventDefault();
    })
    .on('mousemove', function (d) { showTip(text(d), d3.event.clientX, d3.event.clientY); })
    .on('mouseleave', hideTip)
    .on('focus', function (d) { const box = this.getBoundingClientRect(); showTip(text(d), box.left, box.bottom); })
    .on('blur', hideTip);
}
function oneTabStop(node) {
  node.querySelectorAll('svg').forEach((svg) => { const first = svg.querySelector('[data-tip]'); if (first) first.setAttribute('tabindex', 0); });
}
const said = document.getElementById('said');
const say = (text) => { said.textContent = text; };

// -- controls ---------------------------------------------------------------------------------------------------------------------
// One of several, as buttons; arrow keys move between them. options: [[value, text], ...]
function choice(label, options, value, change) {
  const buttons = options.map(([v, text]) => el('button', { type: 'button', role: 'radio', onclick: () => set(v, true) }, text));
  function set(v, tell) {
    options.forEach(([one], i) => {
      buttons[i].setAttribute('aria-checked', String(one === v));
      buttons[i].tabIndex = one === v ? 0 : -1;
    });
    if (tell) change(v);
  }
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus(), next.click();
  };
  set(value, false);
  const node = el('span', { class: 'choice' }, `${label} `, el('span', { class: 'set', role: 'radiogroup', 'aria-label': label, onkeydown: move }, buttons));
  node.set = (v) => set(v, false);
  return node;
}
// Saves a text as a file of the reader's: nothing leaves the page.
function saveButton(text, name, type, content) {
  return el('button', { type: 'button', onclick: () => {
    const url = URL.createObjectURL(new Blob([content()], { type }));
    el('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } }, text);
}
function section(id, title, lead, ...children) {
  return el('section', { id, 'aria-labelledby': `${id}-title` }, el('h2', { id: `${id}-title` }, title), lead ? el('p', { class: 'lead' }, lead) : null, children);
}
const block = (title, ...children) => el('div', { class: 'block' }, el('h3', {}, title), children);
const svgIn = (parent, label) => d3.select(parent).append('svg').attr('class', 'chart').attr('role', 'img').attr('aria-label', label);
// Draws now and whenever the width changes. draw(node, width)
function fitted(node, draw) {
  let width = 0;
  const again = () => {
    const now = Math.floor(node.clientWidth);
    if (now > 0 && now !== width) width = now, node.replaceChildren(), draw(node, now), oneTabStop(node);
  };
  new ResizeObserver(again).observe(node);
  return node;
}
