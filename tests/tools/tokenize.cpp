// tokenize DIR [MAX_LENGTH]: the tokenizer as a filter for tests/e2e/tokenizer_vs_hf.py.
// Each request on stdin is a u32 length and that many bytes of text; each answer on stdout a u32 count and that many i32 ids,
// or the count 0xffffffff for a text that was refused. Little-endian.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/clip_tokenizer.h"

namespace {

bool read_exactly(void* data, size_t size) { return size == 0 || std::fread(data, size, 1, stdin) == 1; }

void answer(uint32_t count, const std::vector<int32_t>& ids) {
  std::fwrite(&count, sizeof count, 1, stdout);
  std::fwrite(ids.data(), sizeof(int32_t), ids.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return std::fputs("usage: tokenize DIR [MAX_LENGTH] < requests > answers\n", stderr), 2;
  const auto tokenizer = octet::ClipTokenizer::load(argv[1]);
  const int max_length = argc > 2 ? std::stoi(argv[2]) : 77;
  std::string text;
  for (uint32_t length = 0; read_exactly(&length, sizeof length);) {
    text.resize(length);
    if (!read_exactly(text.data(), length)) return std::fputs("tokenize: the last request is cut short\n", stderr), 3;
    try {
      const auto ids = tokenizer.encode(text, max_length);
      answer(static_cast<uint32_t>(ids.size()), ids);
    } catch (const octet::Error& error) {
      if (error.code() != octet::Code::kInvalid) throw;
      answer(UINT32_MAX, {});
    }
  }
} catch (const octet::Error& error) {
  std::fprintf(stderr, "tokenize: %s\n", error.render().c_str());
  return static_cast<int>(error.code());
}
