// Embeddings with an engine and nothing else: embed ENGINE.plan INPUT.bin OUTPUT.bin
// INPUT.bin holds any number of items as raw memory in the type and shape of the engine's input (for CLIP's image tower f16
// [N, 3, 224, 224], normalised). OUTPUT.bin gets one embedding an item. Build: g++ -std=c++20 embed.cpp $(pkg-config --cflags --libs octet)
#include <octet/octet.h>

#include <fstream>
#include <iostream>
#include <iterator>

int main(int argc, char** argv) try {
  if (argc != 4) return std::cerr << "usage: embed ENGINE.plan INPUT.bin OUTPUT.bin\n", 2;
  const octet::Engine engine = octet::Engine::load(argv[1]);
  const octet::TensorInfo &in = engine.inputs().at(0), &out = engine.outputs().at(0);

  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> items{std::istreambuf_iterator<char>(file), {}};
  const size_t batch = items.size() / in.bytes_per_item;
  std::vector<std::vector<char>> embeddings;
  std::vector<octet::TensorView> outputs;
  for (const octet::TensorInfo& info : engine.outputs()) {
    std::vector<char>& memory = embeddings.emplace_back(batch * info.bytes_per_item);
    outputs.push_back({info.name, info.dtype, memory.data(), memory.size()});
  }

  octet::Session session(engine);
  const octet::TensorView input = octet::TensorView::of(in.name, items, in.dtype);
  session.run(static_cast<int64_t>(batch), {&input, 1}, outputs);

  std::ofstream(argv[3], std::ios::binary).write(embeddings[0].data(), static_cast<std::streamsize>(embeddings[0].size()));
  std::cout << batch << " x " << out.name << " on " << engine.device() << "\n";
} catch (const octet::Error& error) {
  std::cerr << "embed: " << error.render() << "\n";
  return static_cast<int>(error.code());
}
