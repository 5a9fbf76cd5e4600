// preprocess decode | resize W H FILTER | crop DIR | clip DIR: picture decoding and preprocessing as a filter, for
// tests/e2e/image_vs_pil.py. Each request on stdin is a u32 length and that many bytes of a JPEG or PNG file. Each answer on
// stdout: u32 width, u32 height and the pixels (RGB bytes; for clip f32 [3, height, width]), or 0xffffffff and the error's code.
#include "image/preprocess.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/decode.h"

namespace {

using octet::Image;

bool read_exactly(void* data, size_t size) { return size == 0 || std::fread(data, size, 1, stdin) == 1; }

void answer(uint32_t first, uint32_t second, const void* data, size_t size) {
  const uint32_t head[2] = {first, second};
  std::fwrite(head, sizeof head, 1, stdout);
  std::fwrite(data, 1, size, stdout);
}

void answer(const Image& image) {
  answer(static_cast<uint32_t>(image.width), static_cast<uint32_t>(image.height), image.rgb.data(), image.rgb.size());
}

std::function<void(const Image&)> command(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "decode") return [](const Image& image) { answer(image); };
  if (name == "resize" && argc == 5) {
    const int width = std::stoi(argv[2]), height = std::stoi(argv[3]);
    const auto filter = static_cast<octet::Filter>(std::stoi(argv[4]));
    return [=](const Image& image) { answer(octet::resize(image, width, height, filter)); };
  }
  if ((name == "crop" || name == "clip") && argc == 3) {
    const auto clip = octet::ClipPreprocess::load(argv[2]);
    if (name == "crop") return [=](const Image& image) { answer(clip.pixels(image)); };
    return [=](const Image& image) {
      std::vector<float> out(size_t{3} * static_cast<size_t>(clip.width) * static_cast<size_t>(clip.height));
      clip.run(image, out.data());
      answer(static_cast<uint32_t>(clip.width), static_cast<uint32_t>(clip.height), out.data(), out.size() * sizeof(float));
    };
  }
  throw octet::Error(octet::Code::kUsage, "usage: preprocess decode | resize W H FILTER | crop DIR | clip DIR");
}

}  // namespace

int main(int argc, char** argv) try {
  const auto act = command(argc, argv);
  std::vector<std::byte> bytes;
  for (uint32_t length = 0; read_exactly(&length, sizeof length);) {
    bytes.resize(length);
    if (!read_exactly(bytes.data(), length)) return std::fputs("preprocess: the last request is cut short\n", stderr), 3;
    try {
      act(octet::decode_image(bytes));
    } catch (const octet::Error& error) {
      answer(UINT32_MAX, static_cast<uint32_t>(error.code()), "", 0);
    }
  }
} catch (const octet::Error& error) {
  std::fprintf(stderr, "preprocess: %s\n", error.render().c_str());
  return static_cast<int>(error.code());
}
