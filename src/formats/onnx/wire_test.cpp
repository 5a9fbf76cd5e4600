// The wire reader against hand-encoded bytes, and against the writer.
#include "formats/onnx/wire.h"

#include <gtest/gtest.h>

#include "formats/onnx/testing.h"

namespace octet::onnx {
namespace {

using test::as_span;
using test::bytes_of;
using test::expect_error;
using namespace std::literals;

void walk(std::string_view bytes) {
  for (WireReader reader(as_span(bytes)); reader.next();) continue;
}

TEST(WireReader, ReadsEveryWireType) {
  // From the protobuf encoding guide: field 1 varint 150; then 2: bytes "testing"; 3: fixed32; 4: fixed64; 5: varint -1.
  const std::string bytes =
      "\x08\x96\x01\x12\x07testing\x1d\x00\x00\x80\x3f\x21\x01\x00\x00\x00\x00\x00\x00\x80"
      "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s;
  WireReader reader(as_span(bytes));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 1u);
  EXPECT_EQ(reader.varint(), 150u);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.text(), "testing");
  EXPECT_EQ(reader.offset(), 3u);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.f32(), 1.0f);
  ASSERT_TRUE(reader.next());
  reader.each_fixed64([](uint64_t bits) { EXPECT_EQ(bits, 0x8000000000000001u); });
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.int64(), -1);
  EXPECT_EQ(reader.int32(), -1);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST(WireReader, AFieldOfAnotherWireTypeIsDamageOnlyWhenAskedFor) {
  WireReader reader(as_span("\x08\x01"sv));
  ASSERT_TRUE(reader.next());
  expect_error(Code::kInvalid, "byte 0: the field has another wire type", [&] { reader.text(); });
  expect_error(Code::kInvalid, "another wire type", [&] { reader.f32(); });
  expect_error(Code::kInvalid, "another wire type", [&] { reader.message(); });
  EXPECT_EQ(reader.varint(), 1u);
}

TEST(WireReader, RefusesDamage) {
  const std::pair<std::string, std::string_view> cases[] = {
      {"\x08"s, "byte 0: the message ends inside a number"},
      {"\x08\x01\x10\x80"s, "byte 2: the message ends inside a number"},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s, "longer than 64 bits"},
      {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"s, "longer than 64 bits"},
      {"\x12\x02"
       "a"s,
       "byte 0: a length runs past the end"},
      {"\x12\xff\xff\xff\xff\x07"s, "a length runs past the end"},                      // 2^31 - 1
      {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"s, "a length runs past the end"},      // 2^63 - 1
      {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "a length runs past the end"},  // 2^64 - 1
      {"\x0d\x00\x00\x00"s, "ends inside a number"},
      {"\x09\x00\x00\x00\x00\x00\x00\x00"s, "ends inside a number"},
      {"\x00\x01"s, "field number is out of range"},
      {"\x80\x80\x80\x80\x80\x01\x01"s, "field number is out of range"},
      {"\x0e"s, "wire type is unknown"},
      {"\x0f"s, "wire type is unknown"},
      {"\x0c"s, "a group ends that was not opened"},
      {"\x0b\x14"s, "ends with another number"},
      {"\x0b\x08"s, "ends inside a number"},
      {"\x0b"s, "ends inside a number"},
  };
  for (const auto& [bytes, part] : cases) expect_error(Code::kInvalid, part, [&] { walk(bytes); });
}

TEST(WireReader, SkipsGroups) {
  // Field 1: a group holding a varint, a group, bytes; then field 2 = 7.
  const std::string bytes = "\x0b\x08\x05\x13\x1d\x01\x02\x03\x04\x14\x12\x01z\x0c\x10\x07"s;
  WireReader reader(as_span(bytes));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 2u);
  EXPECT_EQ(reader.varint(), 7u);
  EXPECT_FALSE(reader.next());
}

TEST(WireReader, NestingIsBounded) {
  const auto nested_groups = [](size_t depth) { return std::string(depth, '\x0b') + std::string(depth, '\x0c'); };
  walk(nested_groups(kMaxDepth));
  expect_error(Code::kInvalid, "groups are nested too deeply", [&] { walk(nested_groups(kMaxDepth + 1)); });
  expect_error(Code::kInvalid, "groups are nested too deeply", [&] { walk(std::string(1'000'000, '\x0b')); });
  WireWriter bomb;
  for (int i = 0; i < 200; ++i) {
    WireWriter outer;
    outer.message(1, bomb);
    bomb = outer;
  }
  const std::string bytes = bytes_of(bomb);
  WireReader reader(as_span(bytes));
  expect_error(Code::kInvalid, "messages are nested too deeply", [&] {
    while (reader.next()) reader = reader.message();
  });
}

TEST(WireReader, RepeatedScalarsComePackedOrNot) {
  const std::string bytes = "\x08\x01\x0a\x04\x02\xac\x02\x03\x08\x04\x0a\x00"s;  // 1; packed 2, 300, 3; 4; packed nothing
  std::vector<uint64_t> values;
  for (WireReader reader(as_span(bytes)); reader.next();) reader.each_varint([&](uint64_t v) { values.push_back(v); });
  EXPECT_EQ(values, (std::vector<uint64_t>{1, 2, 300, 3, 4}));
  WireReader cut(as_span("\x0a\x05\x00\x00\x80\x3f\x00"sv));
  ASSERT_TRUE(cut.next());
  expect_error(Code::kInvalid, "byte 6: the message ends inside a number", [&] { cut.each_fixed32([](uint64_t) {}); });
}

TEST(WireWriter, WhatIsWrittenIsReadBack) {
  const std::string big(1000, 'b'), small = "small";
  WireWriter inner, outer;
  inner.view(1, as_span(big));
  inner.view(2, as_span(small));
  inner.int64(3, -5);
  outer.f32(1, 0.5f);
  outer.message(2, inner);
  outer.view(3, as_span(big));
  outer.varint(4, UINT64_MAX);
  const std::string bytes = bytes_of(outer);
  EXPECT_EQ(bytes.size(), outer.size());
  WireReader reader(as_span(bytes));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.f32(), 0.5f);
  ASSERT_TRUE(reader.next());
  WireReader nested = reader.message();
  ASSERT_TRUE(nested.next());
  EXPECT_EQ(nested.text(), big);
  ASSERT_TRUE(nested.next());
  EXPECT_EQ(nested.text(), small);
  ASSERT_TRUE(nested.next());
  EXPECT_EQ(nested.int64(), -5);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.text(), big);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.varint(), UINT64_MAX);
}

TEST(WireWriter, BigPayloadsAreNotCopied) {
  const std::string big(1000, 'b');
  WireWriter inner, outer;
  inner.view(1, as_span(big));
  outer.message(1, inner);
  bool seen = false;
  outer.write([&](std::span<const std::byte> bytes) { seen = seen || bytes.data() == as_span(big).data(); });
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace octet::onnx
