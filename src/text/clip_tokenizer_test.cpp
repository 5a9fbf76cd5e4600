// ClipTokenizer against ids recorded from transformers 5.14.1 (tests/golden/clip_tokens.json, written by
// tests/e2e/tokenizer_vs_hf.py --write-golden), and its behaviour on limits, configuration files and bad text.
#include "text/clip_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/file.h"

namespace octet {
namespace {

using testing::ElementsAre;

const std::filesystem::path kModel = std::filesystem::path(OCTET_SOURCE_DIR) / "models/clip-cifar10-fp8";

const ClipTokenizer& clip() {
  static const ClipTokenizer tokenizer = ClipTokenizer::load(kModel);
  return tokenizer;
}

Code code_of(const auto& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{};
}

// A folder with the real vocabulary and the configuration given, removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(std::filesystem::path(testing::TempDir()) / ("octet_clip_" + name)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
    for (const char* file : {"vocab.json", "merges.txt"}) std::filesystem::create_symlink(kModel / file, path_ / file);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder& write(const char* file, std::string_view text) {
    write_text(path_ / file, text);
    return *this;
  }
  ClipTokenizer load() const { return ClipTokenizer::load(path_); }

 private:
  std::filesystem::path path_;
};

TEST(ClipTokenizer, EqualsRecordedIds) {
  const auto cases = nlohmann::json::parse(read_text(std::filesystem::path(OCTET_SOURCE_DIR) / "tests/golden/clip_tokens.json"));
  ASSERT_GE(cases.size(), 60u);
  for (const auto& item : cases) {
    const auto text = item["text"].get<std::string>();
    EXPECT_EQ(clip().encode(text, 1 << 20), item["ids"].get<std::vector<int32_t>>()) << text;
  }
}

TEST(ClipTokenizer, KnowsItsSpecialIds) {
  EXPECT_EQ(clip().bos_id(), 49406);
  EXPECT_EQ(clip().eos_id(), 49407);
  EXPECT_EQ(clip().pad_id(), 49407);
  EXPECT_EQ(clip().vocab_size(), 49408);
}

TEST(ClipTokenizer, CutsTheTextAndKeepsEos) {
  EXPECT_THAT(clip().encode("a photo of a cat", 5), ElementsAre(49406, 320, 1125, 539, 49407));
  EXPECT_THAT(clip().encode("a photo", 2), ElementsAre(49406, 49407));
  EXPECT_EQ(code_of([] { clip().encode("a", 1); }), Code::kUsage);
}

TEST(ClipTokenizer, PadsToExactlyTheLength) {
  EXPECT_THAT(clip().encode_padded("cat", 5), ElementsAre(49406, 2368, 49407, 49407, 49407));
  EXPECT_THAT(clip().encode_padded("cat", 5, 0), ElementsAre(49406, 2368, 49407, 0, 0));
  EXPECT_EQ(clip().encode_padded(std::string(1000, 'x')).size(), 77u);
}

TEST(ClipTokenizer, RefusesTextThatIsNotUtf8) {
  for (const char* text : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "cat \xe2\x82"}) {
    EXPECT_EQ(code_of([&] { clip().encode(text); }), Code::kInvalid) << text;
  }
  // Beyond the cut as well: whether a text is valid does not depend on the limit.
  EXPECT_EQ(code_of([&] { clip().encode("a b c d \xff", 3); }), Code::kInvalid);
}

TEST(ClipTokenizer, ReadsPadAndSpecialTokensFromTheConfiguration) {
  Folder bang("bang");
  const auto with_bang = bang.write("tokenizer_config.json", R"({"pad_token": "!", "other": [[1]]})").load();
  EXPECT_EQ(with_bang.pad_id(), 0);
  EXPECT_THAT(with_bang.encode("hi!"), ElementsAre(49406, 1883, 0, 49407));

  Folder normalized("normalized");
  const auto lower =
      normalized.write("special_tokens_map.json", R"({"eos_token": {"content": "<|endoftext|>", "normalized": true}})").load();
  EXPECT_THAT(lower.encode("<|ENDOFTEXT|>"), ElementsAre(49406, 49407, 49407));
  EXPECT_EQ(clip().encode("<|ENDOFTEXT|>").size(), 8u);
}

TEST(ClipTokenizer, ReadsTokenizerJson) {
  Folder folder("tokenizer_json");
  const auto tokenizer = folder
                             .write("tokenizer.json", R"({"added_tokens": [{"id": 7, "content": "<|endoftext|>", "special": true}],
    "model": {"type": "BPE", "vocab": {"a": 1, "a</w>": 2, "b": 3, "b</w>": 4, "ab</w>": 5, "<|startoftext|>": 6, "<|endoftext|>": 7},
              "merges": [["a", "b</w>"]]}})")
                             .load();
  EXPECT_THAT(tokenizer.encode("ab aB ba"), ElementsAre(6, 5, 5, 3, 2, 7));
  EXPECT_THAT(tokenizer.encode("aca"), ElementsAre(6, 1, 7, 2, 7)) << "a byte without a symbol is the unknown token";
}

TEST(ClipTokenizer, RefusesBadConfigurations) {
  const std::pair<const char*, Code> cases[] = {
      {R"({"pad_token": "no such token"})", Code::kInvalid},
      {R"({"pad_token": 3})", Code::kInvalid},
      {R"({"pad_token": {"content": ""}})", Code::kInvalid},
      {R"({"pad_token": {"content": "!", "lstrip": true}})", Code::kUnsupported},
      {R"({"added_tokens_decoder": 3})", Code::kInvalid},
      {R"({"added_tokens_decoder": {"1": {"content": "<extra>"}}})", Code::kInvalid},
      {R"([])", Code::kInvalid},
      {R"({"pad_token")", Code::kInvalid},
      {"{\"pad_token\": \"\xff\"}", Code::kInvalid},
  };
  for (const auto& [text, code] : cases) {
    Folder folder("bad");
    folder.write("tokenizer_config.json", text);
    EXPECT_EQ(code_of([&] { folder.load(); }), code) << text;
  }
  EXPECT_EQ(code_of([] { ClipTokenizer::load("/no/such/folder"); }), Code::kIo);
}

// 100 KB of one word merges in O(n log n). A quadratic merge takes 10^10 steps, about a minute; the bound is far from both.
TEST(ClipTokenizer, LongWordsTakeNoQuadraticTime) {
  const auto start = std::chrono::steady_clock::now();
  std::string marks = "e";
  for (int i = 0; i < 50000; ++i) marks += i % 2 ? "\u0301" : "\u0323";
  for (const std::string& text : {std::string(100000, 'a'), std::string(100000, '!'), marks}) {
    EXPECT_GT(clip().encode(text, 1 << 20).size(), 100u);
    EXPECT_EQ(clip().encode(text).size(), 77u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

// Random bytes are either refused as text or give ids of the vocabulary.
TEST(ClipTokenizer, RandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 40, 0);
    for (char& c : text) c = static_cast<char>(random() % (round % 2 ? 128 : 256));
    try {
      for (const int32_t id : clip().encode(text)) ASSERT_TRUE(id >= 0 && id < 49408);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kInvalid);
    }
  }
}

}  // namespace
}  // namespace octet
