// TensorProto: every type and every way to hold its data; contradictions are refused.
#include "formats/onnx/tensor.h"

#include <bit>
#include <cstring>

#include "formats/onnx/testing.h"
#include "ops/quantize.h"

namespace octet::onnx {
namespace {

using namespace test;
using namespace std::literals;

struct Read {
  std::shared_ptr<const std::string> bytes;
  HostTensor tensor;
};
Read read_back(const WireWriter& message) {
  const auto bytes = std::make_shared<const std::string>(bytes_of(message));
  Source source{bytes, ExternalData({})};
  return {bytes, read_tensor(WireReader(as_span(*bytes)), source).tensor};
}

void expect_refused(Code code, std::string_view part, const WireWriter& message) {
  expect_error(code, part, [&] { read_back(message); });
}

WireWriter packed(uint32_t field, const std::vector<uint64_t>& values) {
  WireWriter list;
  std::string bytes;
  for (uint64_t value : values) {
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
  }
  list.text(field, bytes);
  return list;
}

WireWriter typed(int32_t data_type, const Dims& dims, uint32_t field, const std::vector<uint64_t>& values, bool pack) {
  WireWriter out = tensor_header("t", data_type, dims);
  if (pack) {
    const std::string list = bytes_of(packed(field, values));
    WireReader reader(as_span(list));
    EXPECT_TRUE(reader.next());
    out.text(field, reader.text());
  } else {
    for (const uint64_t value : values) out.varint(field, value);
  }
  return out;
}

TEST(Tensor, TypesMapBothWays) {
  const std::pair<DType, int32_t> pairs[] = {{DType::f32, 1},   {DType::u8, 2},      {DType::i8, 3},    {DType::i32, 6},
                                             {DType::i64, 7},   {DType::boolean, 9}, {DType::f16, 10},  {DType::f64, 11},
                                             {DType::bf16, 16}, {DType::e4m3, 17},   {DType::e5m2, 19}, {DType::e8m0, 24}};
  static_assert(std::size(pairs) == kDTypeCount);
  for (const auto& [dtype, code] : pairs) {
    EXPECT_EQ(onnx_number(dtype), code);
    EXPECT_EQ(dtype_of_onnx(code, "x"), dtype);
  }
  expect_error(Code::kUnsupported, "x has the data type STRING", [] { dtype_of_onnx(8, "x"); });
  expect_error(Code::kUnsupported, "INT4", [] { dtype_of_onnx(22, "x"); });
  for (const int64_t code : {int64_t{-1}, int64_t{0}, int64_t{29}, INT64_MAX, INT64_MIN})
    expect_error(Code::kUnsupported, "which octet does not support", [&] { dtype_of_onnx(code, "x"); });
}

TEST(Tensor, RawDataIsAView) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    std::string raw;
    for (size_t k = 0; k < 6 * size_of(dtype); ++k) raw += static_cast<char>(dtype == DType::boolean ? k % 2 : 37 * k);
    const Read read = read_back(raw_tensor("t", onnx_number(dtype), {2, 3}, raw));
    EXPECT_EQ(read.tensor.dtype(), dtype);
    EXPECT_EQ(read.tensor.dims(), (Dims{2, 3}));
    EXPECT_EQ(std::memcmp(read.tensor.bytes().data(), raw.data(), raw.size()), 0);
    const auto* data = reinterpret_cast<const char*>(read.tensor.bytes().data());
    EXPECT_GE(data, read.bytes->data());
    EXPECT_LE(data + raw.size(), read.bytes->data() + read.bytes->size());
  }
}

TEST(Tensor, AllCodesOfFp8Survive) {
  std::string codes;
  for (int i = 0; i < 256; ++i) codes += static_cast<char>(i);
  for (const int32_t type : {kE4m3, kE5m2, kE8m0}) {
    const Read raw = read_back(raw_tensor("t", type, {256}, codes));
    std::vector<uint64_t> values(256);
    for (size_t i = 0; i < 256; ++i) values[i] = i;
    EXPECT_TRUE(raw.tensor.same_bytes(read_back(typed(type, {256}, tensor::kInt32Data, values, true)).tensor));
    EXPECT_TRUE(raw.tensor.same_bytes(read_back(typed(type, {256}, tensor::kInt32Data, values, false)).tensor));
  }
}

TEST(Tensor, TypedDataIsDecoded) {
  const auto negative = [](int64_t v) { return static_cast<uint64_t>(v); };
  for (const bool pack : {false, true}) {
    const auto ints = [&](int32_t type, const std::vector<uint64_t>& values, uint32_t field = tensor::kInt32Data) {
      return read_back(typed(type, {static_cast<int64_t>(values.size())}, field, values, pack)).tensor;
    };
    const HostTensor i32 = ints(kInt32, {1, negative(-1), negative(INT32_MIN), INT32_MAX, 0xffffffff});  // the last as five bytes: -1
    const int32_t expected_i32[] = {1, -1, INT32_MIN, INT32_MAX, -1};
    EXPECT_TRUE(std::ranges::equal(i32.as<int32_t>(), expected_i32));
    const HostTensor i8 = ints(kInt8, {127, negative(-128), 0});
    const int8_t expected_i8[] = {127, -128, 0};
    EXPECT_TRUE(std::ranges::equal(i8.as<int8_t>(), expected_i8));
    EXPECT_EQ(ints(kUint8, {255, 0}).at_int(0), 255);
    EXPECT_EQ(ints(kBool, {1, 0, 1}).at_int(2), 1);
    EXPECT_EQ(ints(kFloat16, {0x3c00, 0xc000}).at(0), 1.0);
    EXPECT_EQ(ints(kFloat16, {0x3c00, 0xc000}).at(1), -2.0);
    EXPECT_EQ(ints(kBfloat16, {0x3f80, 0xff80}).at(0), 1.0);
    const HostTensor i64 = ints(kInt64, {7, negative(INT64_MIN), INT64_MAX}, tensor::kInt64Data);
    const int64_t expected_i64[] = {7, INT64_MIN, INT64_MAX};
    EXPECT_TRUE(std::ranges::equal(i64.as<int64_t>(), expected_i64));
  }
}

TEST(Tensor, TypedFloatsAreDecodedPackedAndNot) {
  const float f[] = {1.5f, -0.0f, 3e38f};
  const double d[] = {0.1, -1e300, 0.0};
  const auto raw = [](const auto& values) { return std::string_view(reinterpret_cast<const char*>(values), sizeof values); };
  WireWriter floats = tensor_header("t", kFloat, {3}), doubles = tensor_header("t", kDouble, {3, 1}),
             single = tensor_header("t", kFloat, {2});
  floats.text(tensor::kFloatData, raw(f));
  doubles.text(tensor::kDoubleData, raw(d));
  single.f32(tensor::kFloatData, 1.5f);
  single.f32(tensor::kFloatData, -2.5f);
  EXPECT_EQ(std::memcmp(read_back(floats).tensor.bytes().data(), f, sizeof f), 0);
  EXPECT_EQ(std::memcmp(read_back(doubles).tensor.bytes().data(), d, sizeof d), 0);
  EXPECT_EQ(read_back(single).tensor.at(1), -2.5);
}

TEST(Tensor, ScalarsAndEmptyTensors) {
  EXPECT_EQ(read_back(raw_tensor("t", kFloat, {}, "\0\0\x80\x3f"sv)).tensor.at(0), 1.0);
  EXPECT_EQ(read_back(raw_tensor("t", kFloat, {0, 5}, "")).tensor.count(), 0);
  EXPECT_EQ(read_back(tensor_header("t", kInt64, {5, 0})).tensor.count(), 0);
}

TEST(Tensor, RefusesWrongAmountsOfData) {
  const std::string_view four = "\0\0\0\0"sv;
  expect_refused(Code::kInvalid, "`t`", raw_tensor("t", kFloat, {2}, four));
  expect_refused(Code::kInvalid, "need 1 elements of 4 bytes but the data has 5", raw_tensor("t", kFloat, {1}, "12345"));
  expect_refused(Code::kInvalid, "need 2 elements of 4 bytes but the data has 4", raw_tensor("t", kFloat, {2}, four));
  expect_refused(Code::kInvalid, "has 0 bytes", raw_tensor("t", kFloat, {1}, ""));
  expect_refused(Code::kInvalid, "need 3 elements but the file has 2", typed(kInt32, {3}, tensor::kInt32Data, {1, 2}, true));
  expect_refused(Code::kInvalid, "need 1 elements but the file has 2", typed(kInt32, {1}, tensor::kInt32Data, {1, 2}, false));
  expect_refused(Code::kInvalid, "but the file has 0", tensor_header("t", kFloat, {3}));
  expect_refused(Code::kInvalid, "another wire type", typed(kFloat, {1}, tensor::kFloatData, {1}, false));
}

TEST(Tensor, RefusesImpossibleDims) {
  for (const Dims& dims : {Dims{-1}, Dims{INT64_MIN}, Dims{INT64_MAX, INT64_MAX}, Dims{int64_t{1} << 32, int64_t{1} << 32}, Dims{-2, -2}}) {
    expect_refused(Code::kInvalid, "", raw_tensor("t", kFloat, dims, "1234"));
    expect_refused(Code::kInvalid, "", typed(kInt32, dims, tensor::kInt32Data, {1, 2, 3, 4}, true));
  }
  // 2^62 elements of 8 bytes wrap to 0 bytes.
  expect_refused(Code::kInvalid, "", raw_tensor("t", kInt64, {int64_t{1} << 62}, ""));
  expect_refused(Code::kInvalid, "", raw_tensor("t", kInt64, {int64_t{1} << 61}, ""));
  expect_refused(Code::kInvalid, "", tensor_header("t", kInt64, {int64_t{1} << 62}));
  expect_refused(Code::kUnsupported, "more than 64 dimensions", raw_tensor("t", kFloat, Dims(65, 1), "1234"));
}

TEST(Tensor, RefusesTwoKindsOfData) {
  WireWriter both = raw_tensor("t", kInt32, {1}, "1234");
  both.varint(tensor::kInt32Data, 1);
  expect_refused(Code::kInvalid, "more than one kind of data", both);
  WireWriter two = tensor_header("t", kInt32, {1});
  two.varint(tensor::kInt32Data, 1);
  two.varint(tensor::kInt64Data, 1);
  expect_refused(Code::kInvalid, "two kinds of typed data", two);
  WireWriter raw_and_external = external_tensor("t", {1}, {{"location", "w"}});
  raw_and_external.text(tensor::kRawData, "1234");
  expect_refused(Code::kInvalid, "more than one kind of data", raw_and_external);
  expect_refused(Code::kInvalid, "another type than data_type", typed(kFloat, {1}, tensor::kInt32Data, {1}, true));
  expect_refused(Code::kInvalid, "another type than data_type", typed(kInt64, {1}, tensor::kInt32Data, {1}, true));
  expect_refused(Code::kInvalid, "another type than data_type", typed(kInt64, {1}, tensor::kUint64Data, {1}, true));
}

TEST(Tensor, RefusesElementsThatDoNotFit) {
  expect_refused(Code::kInvalid, "does not fit", typed(kUint8, {1}, tensor::kInt32Data, {256}, true));
  expect_refused(Code::kInvalid, "does not fit", typed(kInt8, {1}, tensor::kInt32Data, {128}, true));
  expect_refused(Code::kInvalid, "does not fit", typed(kE4m3, {1}, tensor::kInt32Data, {256}, true));
  expect_refused(Code::kInvalid, "does not fit", typed(kFloat16, {1}, tensor::kInt32Data, {0x10000}, true));
  expect_refused(Code::kInvalid, "does not fit", typed(kFloat16, {1}, tensor::kInt32Data, {UINT64_MAX}, true));
  expect_refused(Code::kInvalid, "neither 0 nor 1", raw_tensor("t", kBool, {2}, "\x01\x02"sv));
}

TEST(Tensor, RefusesWhatOctetLacks) {
  expect_refused(Code::kUnsupported, "STRING", tensor_header("t", 8, {1}));
  WireWriter text = tensor_header("t", 8, {1});
  text.text(tensor::kStringData, "hello");
  expect_refused(Code::kUnsupported, "STRING", text);
  WireWriter lying = tensor_header("t", kFloat, {1});
  lying.text(tensor::kStringData, "hello");
  expect_refused(Code::kInvalid, "another type than data_type", lying);
  WireWriter segment = raw_tensor("t", kFloat, {1}, "1234");
  segment.text(tensor::kSegment, "");
  expect_refused(Code::kInvalid, "segments", segment);
  WireWriter place = raw_tensor("t", kFloat, {1}, "1234");
  place.int64(tensor::kDataLocation, 2);
  expect_refused(Code::kInvalid, "data_location", place);
}

}  // namespace
}  // namespace octet::onnx
