#include "formats/tar.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "formats/hostile_testing.h"

namespace octet {
namespace {

using testing::blob_of;
using testing::code_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Pair;

// Expected numbers: Python's tarfile and zlib.crc32 over name, content, name, content, ...
TEST(Tar, ReadsTheRealPictures) {
  for (const auto& [name, files, expected] : {std::tuple("calib.tar", 1024, 0x23dd9737u), std::tuple("eval.tar", 2000, 0x24ff3654u)}) {
    TarReader tar(std::filesystem::path(OCTET_SOURCE_DIR) / "data/cifar10" / name);
    uLong crc = 0;
    int count = 0;
    while (const auto entry = tar.next()) {
      crc = crc32_z(crc, reinterpret_cast<const Bytef*>(entry->name.data()), entry->name.size());
      crc = crc32_z(crc, reinterpret_cast<const Bytef*>(entry->bytes.data()), entry->bytes.size());
      ++count;
    }
    EXPECT_EQ(count, files);
    EXPECT_EQ(crc, expected);
    EXPECT_EQ(tar.next(), std::nullopt) << "the end stays the end";
  }
}

TEST(Tar, GroupsSamplesByKey) {
  TarSamples samples(std::filesystem::path(OCTET_SOURCE_DIR) / "data/cifar10/eval.tar");
  int count = 0;
  while (const auto sample = samples.next()) {
    EXPECT_EQ(sample->key, fmt::format("{:06}", count));
    ASSERT_THAT(sample->parts, ElementsAre(Pair("cls", ::testing::SizeIs(1)), Pair("jpg", ::testing::SizeIs(::testing::Gt(600)))));
    EXPECT_EQ(sample->parts.at("jpg")[0], std::byte{0xff});
    ++count;
  }
  EXPECT_EQ(count, 1000);
}

struct Header {
  std::string name = "a.txt", size = "00000000005", type = "0",
              magic = std::string(
                  "ustar\0"
                  "00",
                  8),
              prefix = "";
};
std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512);
  return text;
}
std::string member(const Header& h, const std::string& content) {
  std::string block(512, '\0');
  block.replace(0, h.name.size(), h.name);
  block.replace(124, h.size.size(), h.size);
  block.replace(156, 1, h.type);
  block.replace(257, h.magic.size(), h.magic);
  block.replace(345, h.prefix.size(), h.prefix);
  block.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block + padded(content);
}
std::string octal(size_t size) { return fmt::format("{:011o}", size); }
const std::string kEnd(1024, '\0');

std::vector<std::string> names_in(const std::string& bytes) {
  TarReader tar(blob_of(bytes));
  std::vector<std::string> names;
  while (const auto entry = tar.next()) {
    testing::touch(entry->bytes);
    names.push_back(entry->name);
  }
  return names;
}
void parse(const Blob& blob) {
  TarSamples tar(blob);
  while (const auto sample = tar.next())
    for (const auto& [part, bytes] : sample->parts) testing::touch(bytes);
}
std::string error_in(const std::string& bytes) {
  return error_of([&] { names_in(bytes); });
}

TEST(Tar, ReadsLongNamesOfEachDialect) {
  const std::string name = std::string(200, 'd') + "/f.jpg", file = member({}, "hello");
  EXPECT_THAT(names_in(member({.name = "f.jpg", .prefix = "some/dir"}, "hello") + kEnd), ElementsAre("some/dir/f.jpg"));
  EXPECT_THAT(names_in(member({.magic = "", .prefix = "garbage"}, "hello") + kEnd), ElementsAre("a.txt")) << "before ustar";
  EXPECT_THAT(names_in(member({.magic = "ustar  ", .prefix = "garbage"}, "hello") + kEnd), ElementsAre("a.txt")) << "GNU";
  EXPECT_THAT(names_in(member({.name = "././@LongLink", .size = octal(name.size() + 1), .type = "L"}, name + '\0') + file + file + kEnd),
              ElementsAre(name, "a.txt"));
  const std::string pax = fmt::format("216 path={}\n", name) + "30 mtime=1350244992.023960108\n";
  EXPECT_THAT(names_in(member({.size = octal(pax.size()), .type = "x"}, pax) + file + file + kEnd), ElementsAre(name, "a.txt"));
  const std::string size = "10 size=5\n";
  EXPECT_THAT(names_in(member({.size = octal(size.size()), .type = "x"}, size) + member({.size = "0"}, "hello") + kEnd),
              ElementsAre("a.txt"));
  const std::string comment = "13 comment=x\n";
  EXPECT_THAT(names_in(member({.size = octal(comment.size()), .type = "g"}, comment) + file + kEnd), ElementsAre("a.txt"));
  EXPECT_THAT(names_in(member({.size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\x05", 12)}, "hello") + kEnd), ElementsAre("a.txt"))
      << "base 256";
}

TEST(Tar, PassesOverWhatIsNoFile) {
  std::string all;
  for (const char* type : {"1", "2", "3", "4", "5", "6"}) all += member({.size = "0", .type = type}, "");
  EXPECT_THAT(names_in(all + member({}, "hello") + kEnd), ElementsAre("a.txt"));
  EXPECT_THAT(error_in(member({.type = "2"}, "hello") + kEnd), HasSubstr("with content"));
  EXPECT_EQ(code_of([] { names_in(member({.type = "S"}, "hello") + kEnd); }), Code::kUnsupported);
  const std::string sparse = "22 GNU.sparse.major=1\n";
  EXPECT_EQ(code_of([&] { names_in(member({.size = octal(sparse.size()), .type = "x"}, sparse) + member({}, "hello") + kEnd); }),
            Code::kUnsupported);
  EXPECT_EQ(code_of([] { names_in(member({.size = octal(9), .type = "g"}, "9 size=5\n") + kEnd); }), Code::kUnsupported);
}

TEST(Tar, RefusesHostileHeaders) {
  EXPECT_EQ(error_in(kEnd), "");
  EXPECT_THAT(error_in(""), HasSubstr("without an end-of-archive"));
  EXPECT_THAT(error_in(member({}, "hello")), HasSubstr("without an end-of-archive"));
  EXPECT_THAT(error_in(member({}, "hello") + kEnd + "x"), HasSubstr("behind the end"));
  std::string wrong = member({}, "hello") + kEnd;
  wrong[0] = 'b';
  EXPECT_THAT(error_in(wrong), HasSubstr("wrong checksum"));
  for (const auto& size : {std::string("77777777777"), std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12),
                           std::string(12, '\xff'), std::string("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12),
                           std::string("00000000009"), std::string("-1"), std::string("12 34")})
    EXPECT_NE(error_in(member({.size = size}, "hello") + kEnd), "") << size;
  EXPECT_THAT(error_in(member({.size = octal(1 << 20), .type = "L"}, std::string(1 << 20, 'n')) + kEnd), HasSubstr("name record"));
  for (const char* pax :
       {"x", "5 ab\n", "99 path=x\n", "10 path=xyz", "0 a=b\n", "7 pathx\n", "-8 a=b\n", "18446744073709551616 a=b\n", "12 size=-1\n"})
    EXPECT_THAT(error_in(member({.size = octal(std::string(pax).size()), .type = "x"}, pax) + member({}, "hello") + kEnd),
                HasSubstr("pax header is damaged"))
        << pax;
  EXPECT_THAT(error_of([] { parse(blob_of(member({}, "hello") + member({}, "hello") + kEnd)); }), HasSubstr("two parts `txt`"));
}

TEST(Tar, KeysSplitAtTheFirstDotOfTheLastPart) {
  TarSamples samples(blob_of(member({.name = "v1.0/7.seg.png"}, "hello") + member({.name = "v1.0/7.cls"}, "hello") +
                             member({.name = "v1.0/8"}, "hello") + kEnd));
  const auto first = samples.next(), second = samples.next();
  EXPECT_EQ(first->key, "v1.0/7");
  EXPECT_THAT(first->parts, ElementsAre(Pair("cls", ::testing::_), Pair("seg.png", ::testing::_)));
  EXPECT_EQ(second->key, "v1.0/8");
  EXPECT_FALSE(samples.next());
}

TEST(Tar, TruncationAndMutation) {
  const std::string pax = "217 path=" + std::string(207, 'd') + "\n";
  const std::string bytes =
      member({.size = octal(pax.size()), .type = "x"}, pax) + member({.name = "0.jpg"}, "hello") + member({.name = "0.cls"}, "hello") +
      member({.name = "L", .size = octal(6), .type = "L"}, std::string("1.jpg\0", 6)) + member({}, "hello") + std::string(512, '\0');
  EXPECT_EQ(error_in(bytes), "");
  testing::expect_refuses_truncation(bytes, parse);
  testing::expect_survives_mutations(bytes, 20'000, parse);
}

}  // namespace
}  // namespace octet
