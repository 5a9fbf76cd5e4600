// libFuzzer: a vocabulary, a configuration and a text, split at the first two 0xff bytes of the input.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "text/splitter.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet::text;
  std::string_view parts[3], rest(reinterpret_cast<const char*>(data), size);
  for (auto& part : parts) {
    const size_t end = rest.find('\xff');
    part = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  try {
    Vocabulary vocabulary;
    if (parts[1].empty()) {
      read_tokenizer_json(parts[0], vocabulary);
    } else {
      read_vocab_json(parts[0], vocabulary);
      read_merges_txt(parts[1], vocabulary);
    }
    const Bpe bpe(vocabulary, 0);
    const std::u32string text = lower(nfc(decode_utf8(parts[2])));
    ClipSplitter splitter(text);
    std::vector<int32_t> ids;
    for (auto piece = splitter.next(); !piece.empty(); piece = splitter.next()) {
      std::string word;
      for (const char32_t c : piece) append_utf8(word, c);
      bpe.encode(word, ids);
    }
  } catch (const octet::Error& error) {
    if (error.code() == octet::Code::kInternal) throw;
  }
  return 0;
}
