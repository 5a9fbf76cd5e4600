function onnxPage() { return { explorer: { follow: () => false, node: el('p') }, sections: [] }; }
