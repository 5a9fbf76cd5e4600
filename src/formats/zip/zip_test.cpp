#include "formats/zip/zip.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "formats/hostile_testing.h"
#include "formats/zip/zip_format.h"

namespace octet {
namespace {

using testing::blob_of;
using testing::error_of;
using ::testing::HasSubstr;
using testing::raw;

// One archive of one or more entries, every field of which a test can bend. Written from the standard, not by ZipWriter.
struct Part {
  std::string name = "a/b", content = "hello";
  uint16_t flags = 0, method = 0, local_flags = 0, local_method = 0;
  uint32_t crc = 0x3610a686;  // of "hello"
  uint32_t local_crc = 0x3610a686, packed = 5, size = 5, local_packed = 5, local_size = 5;
  std::string local_name = "a/b", extra = "", local_extra = "";
  uint16_t disk = 0;
  uint32_t offset = 0;
};
struct End {
  uint16_t disk = 0, here = 1, total = 1, comment = 0;
  uint32_t size = 0, offset = 0;
  std::string before = "";  // the zip64 records
};

std::string u16(uint16_t value) { return raw(value); }
std::string u32(uint32_t value) { return raw(value); }

std::string local(const Part& p) {
  return u32(kLocalSignature) + u16(20) + u16(p.local_flags) + u16(p.local_method) + u32(0) + u32(p.local_crc) + u32(p.local_packed) +
         u32(p.local_size) + u16(static_cast<uint16_t>(p.local_name.size())) + u16(static_cast<uint16_t>(p.local_extra.size())) +
         p.local_name + p.local_extra + p.content;
}
std::string central(const Part& p) {
  return u32(kCentralSignature) + u16(20) + u16(20) + u16(p.flags) + u16(p.method) + u32(0) + u32(p.crc) + u32(p.packed) + u32(p.size) +
         u16(static_cast<uint16_t>(p.name.size())) + u16(static_cast<uint16_t>(p.extra.size())) + u16(0) + u16(p.disk) + u16(0) + u32(0) +
         u32(p.offset) + p.name + p.extra;
}
std::string end_record(const End& e) {
  return e.before + u32(kEndSignature) + u16(e.disk) + u16(e.disk) + u16(e.here) + u16(e.total) + u32(e.size) + u32(e.offset) +
         u16(e.comment);
}
std::string archive(const Part& p) {
  const std::string body = local(p), directory = central(p);
  return body + directory + end_record({.size = static_cast<uint32_t>(directory.size()), .offset = static_cast<uint32_t>(body.size())});
}
std::string archive64(const Part& p, uint32_t end_size, uint64_t entries = 1, int64_t shift = 0) {
  const std::string body = local(p), directory = central(p);
  const uint64_t at = body.size() + directory.size() + static_cast<uint64_t>(shift);
  const std::string record = u32(kEnd64Signature) + raw(uint64_t{44}) + u16(45) + u16(45) + u32(0) + u32(0) + raw(entries) + raw(entries) +
                             raw(uint64_t{directory.size()}) + raw(uint64_t{body.size()});
  const std::string locator = u32(kLocatorSignature) + u32(0) + raw(at) + u32(1);
  return body + directory +
         end_record({.here = 0xffff, .total = 0xffff, .size = end_size, .offset = 0xffffffff, .before = record + locator});
}

void parse(const Blob& blob) {
  const auto zip = ZipReader::parse(blob);
  for (const auto& entry : zip.entries()) testing::touch(zip.read(entry).bytes);
}
std::string error_in(const std::string& bytes) {
  return error_of([&] { parse(blob_of(bytes)); });
}

TEST(Zip, ReadsStoredAndZip64) {
  const auto zip = ZipReader::parse(blob_of(archive({})));
  ASSERT_NE(zip.find("a/b"), nullptr);
  EXPECT_EQ(zip.find("a"), nullptr);
  EXPECT_EQ(zip.read(*zip.find("a/b")).text(), "hello");
  EXPECT_EQ(error_in(archive64({}, 0xffffffff)), "");
  Part wide{.packed = 0xffffffff, .size = 0xffffffff, .local_packed = 0xffffffff, .local_size = 0xffffffff};
  wide.extra = wide.local_extra = u16(1) + u16(16) + raw(uint64_t{5}) + raw(uint64_t{5});
  EXPECT_EQ(error_in(archive(wide)), "");
  EXPECT_EQ(error_in(archive({.flags = 8, .local_flags = 8, .local_crc = 0, .local_packed = 0, .local_size = 0})), "")
      << "a data descriptor";
}

TEST(Zip, RefusesHeadersThatContradictTheDirectory) {
  EXPECT_THAT(error_in(archive({.local_name = "a/c"})), HasSubstr("another name"));
  EXPECT_THAT(error_in(archive({.local_method = 8})), HasSubstr("another method"));
  EXPECT_THAT(error_in(archive({.local_flags = 8})), HasSubstr("another set of flags"));
  EXPECT_THAT(error_in(archive({.local_crc = 1})), HasSubstr("another CRC"));
  EXPECT_THAT(error_in(archive({.local_size = 4})), HasSubstr("another size"));
  EXPECT_THAT(error_in(archive({.local_packed = 4})), HasSubstr("another packed size"));
  EXPECT_THAT(error_in(archive({.packed = 4})), HasSubstr("two different sizes"));
  EXPECT_THAT(error_in(archive({.packed = 6, .size = 6, .local_packed = 6, .local_size = 6})), HasSubstr("truncated"));
  EXPECT_THAT(error_in(archive({.crc = 1, .local_crc = 1})), HasSubstr("CRC-32 is wrong"));
  EXPECT_THAT(error_in(archive({.offset = 1})), HasSubstr("no local header"));
  EXPECT_THAT(error_in(archive({.offset = 0xfffffffe})), HasSubstr("behind the directory"));
  EXPECT_THAT(error_in(archive({.disk = 1})), HasSubstr("several disks"));
  EXPECT_THAT(error_in(archive({.size = 0xffffffff})), HasSubstr("two different sizes")) << "zip64 without its field";
  EXPECT_THAT(error_in(archive({.extra = u16(1) + u16(200)})), HasSubstr("truncated"));
  EXPECT_THAT(error_in(archive({.extra = u16(1) + u16(0) + u16(1) + u16(0)})), HasSubstr("two zip64 fields"));
  EXPECT_THAT(error_in(archive({.flags = 1, .local_flags = 1})), HasSubstr("encrypted"));
  EXPECT_THAT(error_in(archive({.method = 12, .local_method = 12})), HasSubstr("compression method 12"));
}

TEST(Zip, RefusesNamesThatCouldLeaveADirectory) {
  for (const char* name : {"", "/etc/passwd", "../x", "a/../b", "a/..", "a//b", "a/", "./a", "a\\b", "a\nb", "a\x7f"}) {
    EXPECT_NE(error_in(archive({.name = name, .local_name = name})), "") << name;
  }
  EXPECT_NE(error_in(archive({.name = std::string("a\0b", 3), .local_name = std::string("a\0b", 3)})), "");
  EXPECT_EQ(error_in(archive({.name = "a..b/.c", .local_name = "a..b/.c"})), "");
}

TEST(Zip, RefusesDamagedEndRecords) {
  const Part part;
  const std::string body = local(part), directory = central(part);
  const auto with = [&](End end) {
    end.size += static_cast<uint32_t>(directory.size()), end.offset += static_cast<uint32_t>(body.size());
    return error_in(body + directory + end_record(end));
  };
  EXPECT_EQ(with({}), "");
  EXPECT_THAT(with({.disk = 1}), HasSubstr("several disks"));
  EXPECT_THAT(with({.here = 2}), HasSubstr("several disks"));
  EXPECT_THAT(with({.here = 2, .total = 2}), HasSubstr("truncated"));
  EXPECT_THAT(with({.here = 0, .total = 0}), HasSubstr("more bytes than entries"));
  EXPECT_THAT(with({.comment = 3}), HasSubstr("archive comment"));
  EXPECT_THAT(with({.size = 1}), HasSubstr("does not end at the end record"));
  EXPECT_THAT(with({.offset = 1}), HasSubstr("does not end at the end record"));
  EXPECT_THAT(with({.offset = 0xfffffff0}), HasSubstr("does not end at the end record"));
  EXPECT_THAT(error_in(archive({}) + "x"), HasSubstr("bytes were appended"));
  EXPECT_THAT(error_in(archive64({}, 1)), HasSubstr("contradicts"));
  EXPECT_THAT(error_in(archive64({}, 0xffffffff, 2)), HasSubstr("truncated"));
  EXPECT_THAT(error_in(archive64({}, 0xffffffff, ~uint64_t{0})), HasSubstr("zip entries, more than 100000"));
  EXPECT_THAT(error_in(archive64({}, 0xffffffff, 1, 1)), HasSubstr("not where its locator lies"));
}

std::string two(const Part& a, const Part& b, const std::string& body) {
  const std::string directory = central(a) + central(b);
  return body + directory +
         end_record({.here = 2, .total = 2, .size = static_cast<uint32_t>(directory.size()), .offset = static_cast<uint32_t>(body.size())});
}

TEST(Zip, RefusesOverlapsAndDuplicates) {
  const Part a, same;
  Part b{.name = "c", .local_name = "c"};
  b.offset = static_cast<uint32_t>(local(a).size());
  EXPECT_EQ(error_in(two(a, b, local(a) + local(b))), "");
  EXPECT_EQ(error_in(two(b, a, local(a) + local(b))), "") << "the directory may have another order";
  EXPECT_THAT(error_in(two(a, same, local(a))), HasSubstr("overlap"));
  Part twice;
  twice.offset = b.offset;
  EXPECT_THAT(error_in(two(a, twice, local(a) + local(twice))), HasSubstr("two zip entries are called `a/b`"));
  // An entry whose content is another entry, header and all.
  Part inner{.name = "i", .local_name = "i"};
  Part outer{.content = local(inner), .packed = 40, .size = 40};
  outer.packed = outer.size = outer.local_packed = outer.local_size = static_cast<uint32_t>(outer.content.size());
  inner.offset = static_cast<uint32_t>(local(outer).size() - outer.content.size());
  EXPECT_THAT(error_in(two(outer, inner, local(outer))), HasSubstr("overlap"));
}

std::string deflated(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
Part deflated_part(const std::string& text, uint32_t size) {
  Part part{.content = deflated(text), .method = 8, .local_method = 8};
  part.crc = part.local_crc = static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
  part.packed = part.local_packed = static_cast<uint32_t>(part.content.size());
  part.size = part.local_size = size;
  return part;
}

TEST(Zip, InflatesExactlyWhatTheDirectorySays) {
  const std::string text(100'000, 'x');
  const auto zip = ZipReader::parse(blob_of(archive(deflated_part(text, 100'000))));
  EXPECT_EQ(zip.read(zip.entries()[0]).text(), text);
  for (const uint32_t lie : {0u, 1u, 99'999u, 100'001u})
    EXPECT_THAT(error_in(archive(deflated_part(text, lie))), HasSubstr("not of the size")) << lie;
  EXPECT_THAT(error_in(archive(deflated_part(text, 900'000'000))), HasSubstr("cannot come from"))
      << "no allocation on the directory's word";
  EXPECT_THAT(error_in(archive(deflated_part(text, 2'000'000'000))), HasSubstr("more than a compressed entry may have"));
  EXPECT_EQ(error_in(archive(deflated_part("", 0))), "");
  Part trailing = deflated_part("hello", 5);
  trailing.content += "x", ++trailing.packed, ++trailing.local_packed;
  EXPECT_THAT(error_in(archive(trailing)), HasSubstr("damaged"));
}

TEST(Zip, WriterAlignsAndReadsBack) {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "x.zip";
  ZipWriter writer(path);
  for (size_t size : {0, 1, 63, 64, 1000}) writer.add(fmt::format("root/{:x<{}}", "", size % 61 + 1), std::string(size, 'c'));
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.commit();
  const Blob blob = map_blob(path);
  const auto zip = ZipReader::parse(blob);
  EXPECT_EQ(zip.entries().size(), 5u);
  for (const auto& entry : zip.entries()) {
    EXPECT_EQ((entry.packed.data() - blob.bytes.data()) % 64, 0) << entry.name;
    EXPECT_EQ(zip.read(entry).text(), std::string(entry.size, 'c'));
  }
}

TEST(Zip, TruncationAndMutation) {
  const Part a;
  Part b = deflated_part("hello hello hello hello", 23);
  b.name = b.local_name = "c", b.offset = static_cast<uint32_t>(local(a).size());
  const std::string bytes = two(a, b, local(a) + local(b));
  testing::expect_refuses_truncation(bytes, parse);
  testing::expect_refuses_truncation(archive64({}, 0xffffffff), parse);
  testing::expect_survives_mutations(bytes, 20'000, parse);
  testing::expect_survives_mutations(archive64({}, 0xffffffff), 20'000, parse);
}

}  // namespace
}  // namespace octet
