// A search field and the list of what it finds, as links. find(has) -> {summary, items: [[href, name, kind], ...]}, where has(text) says
// whether every word that was typed is in it; Enter follows the first.

const kMostFound = 40;

class Search {
  constructor(label, find) {
    this.find = find;
    this.results = el('ul', { class: 'results', hidden: true, id: 'results', 'aria-label': 'Found' });
    this.input = el('input', { type: 'search', id: 'graph-search', placeholder: label, 'aria-label': label, oninput: () => this.again(), onkeydown: (e) => {
      const first = this.results.querySelector('a');
      if (e.key === 'Enter' && first) visit(first.hash);
    } });
  }

  again() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { summary, items } = this.find((text) => words.length > 0 && words.every((w) => text.toLowerCase().includes(w)));
    this.results.hidden = !words.length;
    this.results.replaceChildren(el('li', { class: 'note' }, summary), ...items.slice(0, kMostFound).map(([href, name, kind]) =>
      el('li', {}, el('a', { href }, el('span', { class: 'muted' }, `${kind} `), el('span', { class: 'name' }, name)))));
    if (words.length) say(summary);
  }
}
