// safetensors files that lie.
#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "formats/safetensors.h"

namespace octet {
namespace {

using testing::blob_of;
using testing::code_of;
using testing::error_of;
using ::testing::HasSubstr;
using testing::raw;

std::string file_of(const std::string& json, const std::string& data) { return raw(uint64_t{json.size()}) + json + data; }
std::string entry(const std::string& dtype, const std::string& shape, uint64_t begin, uint64_t end) {
  return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", dtype, shape, begin, end);
}
void parse(const Blob& blob) {
  const auto file = Safetensors::parse(blob);
  for (const auto& name : file.names()) testing::touch(file.at(name).bytes());
}
std::string error_in(const std::string& bytes) {
  return error_of([&] { parse(blob_of(bytes)); });
}

TEST(SafetensorsHostile, HeaderLengthLies) {
  EXPECT_THAT(error_in(""), HasSubstr("truncated"));
  EXPECT_THAT(error_in("1234567"), HasSubstr("truncated"));
  EXPECT_THAT(error_in(raw(uint64_t{10}) + "{}"), HasSubstr("10 bytes needed"));
  EXPECT_THAT(error_in(raw(uint64_t{100'000'001}) + "{}"), HasSubstr("100 MB"));
  EXPECT_THAT(error_in(raw(~uint64_t{0}) + "{}"), HasSubstr("100 MB"));
  EXPECT_THAT(error_in(raw(uint64_t{0})), HasSubstr("does not start with `{`"));
  EXPECT_THAT(error_in(file_of(" {}", "")), HasSubstr("does not start with `{`"));
  EXPECT_THAT(error_in(file_of("[]", "")), HasSubstr("does not start with `{`"));
  EXPECT_THAT(error_in(file_of("{} x", "")), HasSubstr("not valid JSON"));
  EXPECT_EQ(error_in(file_of("{}", "")), "");
}

TEST(SafetensorsHostile, OffsetsOverlapLeaveGapsOrDisagree) {
  const std::string eight(8, 'x');
  const auto two = [&](const std::string& a, const std::string& b) {
    return error_in(file_of(R"({"a":)" + a + R"(,"b":)" + b + "}", eight));
  };
  EXPECT_EQ(two(entry("F32", "[1]", 4, 8), entry("F32", "[1]", 0, 4)), "");
  EXPECT_THAT(two(entry("F32", "[1]", 0, 4), entry("F32", "[1]", 2, 6)), HasSubstr("begins at data byte 2, but"));
  EXPECT_THAT(two(entry("F32", "[1]", 0, 4), entry("F32", "[1]", 0, 4)), HasSubstr("begins at data byte 0, but"));
  EXPECT_THAT(two(entry("U8", "[3]", 0, 3), entry("F32", "[1]", 4, 8)), HasSubstr("gap"));
  EXPECT_THAT(two(entry("U8", "[1]", 1, 2), entry("U8", "[6]", 2, 8)), HasSubstr("gap"));
  EXPECT_THAT(two(entry("U8", "[3]", 0, 3), entry("F32", "[1]", 3, 7)), HasSubstr("end at data byte 7, the file at 8"));
  EXPECT_THAT(two(entry("U8", "[3]", 0, 3), entry("F32", "[2]", 3, 11)), HasSubstr("end at data byte 11, the file at 8"));
  EXPECT_THAT(two(entry("F32", "[2]", 0, 4), entry("F32", "[1]", 4, 8)), HasSubstr("reading tensor `a`"));
  EXPECT_THAT(two(entry("F32", "[1]", 4, 0), entry("F32", "[1]", 4, 8)), HasSubstr("backwards"));
  EXPECT_THAT(two(entry("U8", "[18446744073709551615]", 0, 8), entry("U8", "[0]", 8, 8)), HasSubstr("too large"));
  EXPECT_THAT(two(entry("F64", "[2305843009213693953]", 0, 8), entry("U8", "[0]", 8, 8)), HasSubstr("reading tensor `a`"));
  EXPECT_THAT(two(entry("F32", "[4294967296,4294967296,4294967296]", 0, 8), entry("U8", "[0]", 8, 8)), HasSubstr("2^62"));
}

TEST(SafetensorsHostile, EntriesOfTheWrongShape) {
  const auto one = [](const std::string& value) { return error_in(file_of(R"({"a":)" + value + "}", "xxxx")); };
  for (const char* value :
       {"1", "[]", "{}", R"({"dtype":"F32","shape":[1]})", R"({"dtype":"F32","shape":[1],"data_offset":[0,4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})", R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})", R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1.0],"data_offsets":[0,4]})", R"({"dtype":"F32","shape":["1"],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,8]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[-4,4]})", R"({"dtype":"F32","shape":[1],"data_offsets":[0,1e30]})"})
    EXPECT_THAT(one(value), HasSubstr("test: tensor `a`")) << value;
  EXPECT_THAT(one(entry("f32", "[1]", 0, 4)), HasSubstr("unknown dtype `f32`"));
  EXPECT_THAT(one(entry("F32", "[" + std::string(199, '1') + "]", 0, 4)), HasSubstr("not a whole number"));
}

TEST(SafetensorsHostile, UnsupportedDtypesNameTheTensor) {
  for (const char* dtype : {"I16", "U16", "U32", "U64", "C64", "F4"}) {
    const std::string file = file_of(R"({"some.tensor":)" + entry(dtype, "[1]", 0, 2) + "}", "xx");
    EXPECT_EQ(code_of([&] { parse(blob_of(file)); }), Code::kUnsupported) << dtype;
    EXPECT_THAT(error_in(file), HasSubstr("tensor `some.tensor` has dtype " + std::string(dtype)));
  }
}

TEST(SafetensorsHostile, NamesAndMetadata) {
  const std::string a = R"("a":)" + entry("U8", "[1]", 0, 1);
  EXPECT_THAT(error_in(file_of("{" + a + "," + a + "}", "x")), HasSubstr("duplicate JSON key `a`"));
  EXPECT_THAT(error_in(file_of("{" + a + R"(,"__metadata__":{"k":1}})", "x")), HasSubstr("not a string"));
  EXPECT_THAT(error_in(file_of("{" + a + R"(,"__metadata__":[]})", "x")), HasSubstr("not an object"));
  EXPECT_EQ(error_in(file_of("{" + a + R"(,"__metadata__":{"k":"v"}})", "x")), "");
  EXPECT_THAT(error_in(file_of(fmt::format("{{\"{:n>5000}\":{}}}", "", entry("U8", "[1]", 0, 1)), "x")), HasSubstr("5000 bytes long"));
  EXPECT_THAT(error_in(file_of(fmt::format("{{\"{:n>3000000}\":1}}", ""), "x")), HasSubstr("longer than"));
  EXPECT_THAT(error_in(file_of("{\"\\u001b[31m\":3}", "x")), HasSubstr("`\\x1b[31m`")) << "no terminal escapes in messages";
}

TEST(SafetensorsHostile, ManyEntriesAndDeepJsonAreRefusedFast) {
  const double begin = testing::cpu_seconds();
  std::string json = "{";
  for (int i = 0; i < 1'000'000; ++i) json += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  json.back() = '}';
  EXPECT_THAT(error_in(file_of(json, "")), HasSubstr("more than 4000000 JSON values"));
  EXPECT_THAT(error_in(file_of("{" + std::string(50'000'000, '['), "")), HasSubstr("deeper than 8"));
  EXPECT_THAT(error_in(file_of(R"({"a":)" + std::string(9, '[') + "}", "")), HasSubstr("deeper than 8"));
  json.resize(json.rfind(",\"200001\":"));
  EXPECT_THAT(error_in(file_of(json + "}", "")), HasSubstr("200001 tensors, more than 200000"));
  json.resize(json.rfind(",\"200000\":"));
  EXPECT_EQ(error_in(file_of(json + R"(,"__metadata__":{}})", "")), "") << "200,000 and the metadata";
  EXPECT_LT(testing::cpu_seconds() - begin, 20) << "2 s alone";
}

TEST(SafetensorsHostile, TruncationAndMutation) {
  std::string json = R"({"__metadata__":{"format":"pt"},"w":)" + entry("F32", "[2,2]", 0, 16) + R"(,"h":)" + entry("F16", "[3]", 16, 22) +
                     R"(,"b":)" + entry("BOOL", "[2]", 22, 24) + R"(,"s":)" + entry("F8_E4M3", "[]", 24, 25) + R"(,"none":)" +
                     entry("I64", "[0,7]", 25, 25) + "}";
  const std::string file = file_of(json, std::string(25, '\x38'));
  EXPECT_EQ(error_in(file), "");
  testing::expect_refuses_truncation(file, parse);
  EXPECT_THAT(error_in(file + "x"), HasSubstr("end at data byte 25, the file at 26"));
  testing::expect_survives_mutations(file, 20'000, parse);
}

TEST(SafetensorsHostile, TheRealHeaderMutated) {
  const auto file = map_blob(testing::model_dir() / "model.safetensors");
  const std::string head(file.text().substr(0, 8 + 49304));
  testing::expect_survives_mutations(head, 300, parse);
  for (size_t length = 0; length < file.bytes.size(); length += 1'300'007)
    EXPECT_NE(error_of([&] { Safetensors::parse(file.slice(0, length, "cut")); }), "") << length;
}

}  // namespace
}  // namespace octet
