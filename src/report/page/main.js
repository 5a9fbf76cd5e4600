// Starts the page. data.kind says what it holds:
//   "profile": report (octet.profile/1), graphs [{steps, nodes}] an engine: indices of drawings, or -1; drawings [...]
//   "onnx":    facts (octet.inspect/1), violations [{node, rule, what, fix}], drawing,
//              nodes [{name, op, block, inputs: [[tensor, type, note]], outputs: likewise, attributes}]

function bar(sections, title) {
  const link = (s) => el('a', { href: `#${s.id}` }, s.querySelector('h2') ? s.querySelector('h2').textContent : 'Overview');
  const theme = choice('theme', [['auto', 'auto'], ['light', 'light'], ['dark', 'dark']], 'auto', (value) => {
    if (value === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
  });
  const nav = el('nav', { 'aria-label': 'Sections' }, sections.map(link));
  const header = document.getElementById('top');
  header.className = 'bar';
  header.append(el('div', {}, el('strong', {}, title), nav, theme));
  const seen = new IntersectionObserver((entries) => entries.forEach((e) => {
    if (!e.isIntersecting) return;
    nav.querySelectorAll('a').forEach((a) => (a.hash === `#${e.target.id}` ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current')));
  }), { rootMargin: '-20% 0px -70% 0px' });
  sections.forEach((s) => seen.observe(s));
}

function profilePage(report) {
  const rows = layerRows(report), explorer = new Explorer();
  return { explorer, sections: [overview(report), whereTheTimeGoes(report, rows), layerSection(report, rows), precisionSection(report), explorer.node, environmentSection(report)] };
}

// Goes to a step or a node: at once, so that keys that follow find it selected; the event of its hash comes later and changes nothing.
const visited = { explorer: null, hash: '' };
function visit(hash) {
  visited.hash = hash;
  visited.explorer.follow(hash);
  location.hash = hash;
}

function start() {
  const { explorer, sections } = data.kind === 'onnx' ? onnxPage() : profilePage(data.report);
  document.getElementById('main').replaceChildren(...sections);
  bar(sections, 'octet');
  visited.explorer = explorer;
  const follow = () => {
    if (location.hash === visited.hash || !explorer.follow(location.hash)) return;
    visited.hash = location.hash;
    const box = explorer.node.getBoundingClientRect();
    if (box.top > innerHeight * 0.5 || box.bottom < innerHeight * 0.5) explorer.node.scrollIntoView();
  };
  addEventListener('hashchange', follow);
  addEventListener('keydown', (e) => { if (e.key === 'Escape') hideTip(); });
  addEventListener('scroll', hideTip, { passive: true });
  // A link into the graph needs the panes' sizes, and a link to a section the sections' places: both known after the first layout. Ready is
  // when the frame after it begins: charts, which wait for their widths, are on paper then.
  requestAnimationFrame(() => {
    if (location.hash) follow();
    requestAnimationFrame(() => {
      performance.mark('octet-ready');
      document.documentElement.dataset.ready = 'true';
    });
  });
}

start();
