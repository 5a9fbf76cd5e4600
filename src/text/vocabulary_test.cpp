// The vocabulary readers on hostile files: each defect is a typed error, none a crash or a wait.
#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"

namespace octet::text {
namespace {

Code code_of(const auto& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{};
}

TEST(Vocabulary, ReadsTokensAndMerges) {
  Vocabulary v;
  read_vocab_json(R"({"a": 0, "b</w>": 2147483647, "\u0120": 2})", v);
  EXPECT_EQ(v.ids.size(), 3u);
  EXPECT_EQ(v.ids.at("b</w>"), 2147483647);
  EXPECT_EQ(v.ids.at("\u0120"), 2);
  read_merges_txt("#version: 0.2\na b\r\nc d", v);
  ASSERT_EQ(v.merges.size(), 2u);
  EXPECT_EQ(v.merges[0], (std::pair<std::string, std::string>{"a", "b"}));
  EXPECT_EQ(v.merges[1], (std::pair<std::string, std::string>{"c", "d"}));
}

TEST(Vocabulary, ReadsBothFormsOfMergesInTokenizerJson) {
  for (const char* merges : {R"(["a b", "c d"])", R"([["a", "b"], ["c", "d"]])"}) {
    Vocabulary v;
    read_tokenizer_json(fmt::format(R"({{"x": {{"vocab": {{"q": 1}}}}, "model": {{"merges": {}, "vocab": {{"a": 1}}}}}})", merges), v);
    EXPECT_EQ(v.ids.size(), 1u);
    ASSERT_EQ(v.merges.size(), 2u) << merges;
    EXPECT_EQ(v.merges[1].second, "d");
  }
}

TEST(Vocabulary, RefusesMalformedJson) {
  for (const std::string& text :
       {std::string(""), std::string("{"), std::string("[]"), std::string("{}"), std::string("3"), std::string(R"({"a": -1})"),
        std::string(R"({"a": 2147483648})"), std::string(R"({"a": 1.5})"), std::string(R"({"a": "1"})"), std::string(R"({"a": null})"),
        std::string(R"({"a": {"b": 1}})"), std::string(R"({"a": [1]})"), std::string("{\"\xff\": 1}"), std::string(R"({"\ud800": 1})"),
        std::string(R"({"a": 1} x)"), std::string(1 << 20, '['), std::string("{\"a\": 1, \"b\": ") + std::string(1 << 20, '[')}) {
    Vocabulary v;
    EXPECT_EQ(code_of([&] { read_vocab_json(text, v); }), Code::kInvalid) << text.substr(0, 60);
  }
  for (const char* text :
       {R"({"model": {"vocab": []}})", R"({"model": {"vocab": {"a": 1}, "merges": ["ab"]}})",
        R"({"model": {"vocab": {"a": 1}, "merges": [["a"]]}})", R"({"model": {"vocab": {"a": 1}, "merges": [["a", "b", "c"]]}})",
        R"({"model": {"vocab": {"a": 1}, "merges": [3]}})", R"({"model": {"vocab": {"a": 1}, "merges": [["a", 3]]}})",
        R"({"vocab": {"a": 1}})"}) {
    Vocabulary v;
    EXPECT_EQ(code_of([&] { read_tokenizer_json(text, v); }), Code::kInvalid) << text;
  }
}

TEST(Vocabulary, RefusesMalformedMerges) {
  for (const char* text : {"ab", "a b c", " b", "a ", "\n", "a b\n\nc d"}) {
    Vocabulary v;
    EXPECT_EQ(code_of([&] { read_merges_txt(text, v); }), Code::kInvalid) << text;
  }
}

TEST(Vocabulary, MergesMustStayInTheVocabulary) {
  Vocabulary v;
  v.ids = {{"a", 1}, {"b", 2}, {"ab", 3}};
  for (const auto& merge : {std::pair<std::string, std::string>{"a", "x"}, {"x", "b"}, {"b", "a"}}) {
    v.merges = {merge};
    EXPECT_EQ(code_of([&] { Bpe(v, 0); }), Code::kInvalid);
  }
}

// The rule of byte-pair encoding itself, by the plain quadratic method.
std::vector<int32_t> encode_plainly(const Vocabulary& v, const std::string& word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  parts.back() += "</w>";
  for (bool merged = true; merged;) {
    merged = false;
    for (const auto& [left, right] : v.merges) {
      for (size_t i = 0; i + 1 < parts.size() && !merged; ++i) {
        if (parts[i] != left || parts[i + 1] != right) continue;
        parts[i] += right;
        parts.erase(parts.begin() + static_cast<ptrdiff_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  std::vector<int32_t> ids;
  for (const auto& part : parts) ids.push_back(v.ids.at(part));
  return ids;
}

TEST(Bpe, EqualsThePlainMethodOnRandomVocabularies) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    Vocabulary v;
    std::vector<std::string> tokens = {"a", "b", "c", "a</w>", "b</w>", "c</w>"};
    for (int tries = 0; tries < 30; ++tries) {
      const std::string left = tokens[random() % tokens.size()], right = tokens[random() % tokens.size()];
      if (left.ends_with("</w>") || left.size() + right.size() > 12) continue;
      if (std::find(v.merges.begin(), v.merges.end(), std::pair(left, right)) != v.merges.end()) continue;
      v.merges.emplace_back(left, right);
      if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end()) tokens.push_back(left + right);
    }
    for (size_t i = 0; i < tokens.size(); ++i) v.ids[tokens[i]] = static_cast<int32_t>(i);
    const Bpe bpe(v, 999);
    for (int words = 0; words < 20; ++words) {
      std::string word(1 + random() % 24, 'a');
      for (char& c : word) c = static_cast<char>('a' + random() % 3);
      std::vector<int32_t> ids;
      bpe.encode(word, ids);
      ASSERT_EQ(ids, encode_plainly(v, word)) << word;
    }
  }
}

TEST(Bpe, ByteSymbolsAreThoseOfGpt2) {
  EXPECT_EQ(byte_symbol('!'), "!");
  EXPECT_EQ(byte_symbol(' '), "\u0120");
  EXPECT_EQ(byte_symbol(0), "\u0100");
  EXPECT_EQ(byte_symbol(0x7f), "\u0121");
  EXPECT_EQ(byte_symbol(0xad), "\u0143");
  EXPECT_EQ(byte_symbol(0xff), "\u00ff");
}

}  // namespace
}  // namespace octet::text
