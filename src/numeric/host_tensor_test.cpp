// dtype names, storage and sharing, exact element access.
#include "numeric/host_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "numeric/convert.h"

namespace octet {
namespace {

TEST(DType, names_come_back) {
  size_t bytes = 0;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(parse_dtype(name_of(dtype)), dtype);
    bytes += size_of(dtype);
  }
  EXPECT_EQ(bytes, 4u + 2 + 2 + 1 + 1 + 1 + 1 + 1 + 4 + 8 + 1 + 8);
  EXPECT_EQ(parse_dtype("float"), std::nullopt);
  EXPECT_EQ(parse_dtype(""), std::nullopt);
  EXPECT_EQ(name_of(DType::boolean), "bool");
  EXPECT_THROW(size_of(static_cast<DType>(12)), Error);
  EXPECT_TRUE(is_float(DType::bf16) && !is_float(DType::e4m3) && is_float8(DType::e5m2) && is_integer(DType::u8));
  EXPECT_FALSE(is_integer(DType::boolean) || is_float8(DType::e8m0));
}

TEST(ElementCount, refuses_what_overflows) {
  EXPECT_EQ(element_count(std::vector<int64_t>{}), 1);
  EXPECT_EQ(element_count(std::vector<int64_t>{2, 3, 4}), 24);
  EXPECT_EQ(element_count(std::vector<int64_t>{INT64_MAX, INT64_MAX, 0}), 0);
  EXPECT_EQ(element_count(std::vector<int64_t>{int64_t{1} << 31, int64_t{1} << 31}), int64_t{1} << 62);
  EXPECT_THROW(element_count(std::vector<int64_t>{-1}), Error);
  EXPECT_THROW(element_count(std::vector<int64_t>{0, -1}), Error);
  EXPECT_THROW(element_count(std::vector<int64_t>{int64_t{1} << 31, int64_t{1} << 31, 2}), Error);
  EXPECT_THROW(element_count(std::vector<int64_t>{INT64_MAX, INT64_MAX}), Error);
  EXPECT_THROW(HostTensor(DType::f64, {int64_t{1} << 60}), Error);
  EXPECT_THROW(HostTensor(DType::u8, {int64_t{1} << 61}), Error);  // fits the count, not the memory
}

TEST(HostTensor, owned_bytes_are_zero_and_aligned) {
  for (const int64_t n : {0, 1, 63, 1000}) {
    HostTensor tensor(DType::f16, {n});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.mutable_data()) % 64, 0u);
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(tensor.at(i), 0);
  }
  EXPECT_EQ(HostTensor().count(), 0);
  EXPECT_EQ(HostTensor(DType::f32, {}).count(), 1);
  EXPECT_EQ(describe(HostTensor(DType::f16, {3, 4})), "f16[3,4]");
  EXPECT_EQ(describe(HostTensor(DType::i64, {})), "i64[]");
}

TEST(HostTensor, writes_copy_shared_bytes) {
  HostTensor first(DType::f32, {4});
  first.set(0, 1);
  HostTensor second = first;
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  second.set(0, 2);
  EXPECT_EQ(first.at(0), 1);
  EXPECT_EQ(second.at(0), 2);
  HostTensor third = second.reshaped({2, 2});
  EXPECT_EQ(third.bytes().data(), second.bytes().data());
  third.mut<float>()[3] = 7;
  EXPECT_EQ(second.at(3), 0);
  const std::byte* before = third.bytes().data();
  third.set(0, 5);  // unshared: in place
  EXPECT_EQ(third.bytes().data(), before);
  EXPECT_THROW(third.reshaped({5}), Error);
  EXPECT_THROW(third.reshaped({-2, -2}), Error);
  EXPECT_THROW(third.as<double>(), Error);
}

TEST(HostTensor, views_may_be_unaligned_and_are_copied_before_a_write) {
  auto buffer = std::make_shared<std::vector<std::byte>>(1 + 3 * 8);
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t value = INT64_MAX - i;
    std::memcpy(buffer->data() + 1 + 8 * i, &value, 8);
  }
  const auto bytes = std::span<const std::byte>(*buffer).subspan(1);
  HostTensor view(DType::i64, {3}, bytes, buffer);
  EXPECT_EQ(view.bytes().data(), bytes.data());
  EXPECT_EQ(view.at_int(1), INT64_MAX - 1);
  HostTensor floats(DType::f64, {3}, bytes, buffer);
  EXPECT_EQ(to_f32(floats).size(), 3u);
  view.set_int(0, 5);
  EXPECT_EQ(view.at_int(0), 5);
  EXPECT_EQ(view.at_int(2), INT64_MAX - 2);
  EXPECT_EQ(static_cast<int>((*buffer)[1]), 0xff);
  EXPECT_THROW(HostTensor(DType::i64, {2}, bytes, buffer), Error);
  EXPECT_THROW(HostTensor(DType::i64, {4}, bytes, buffer), Error);
}

TEST(HostTensor, elements_are_checked) {
  HostTensor tensor(DType::f32, {2});
  EXPECT_THROW(tensor.at(2), Error);
  EXPECT_THROW(tensor.at_int(-1), Error);
  EXPECT_THROW(tensor.set(2, 0), Error);
  EXPECT_THROW(tensor.set_int(INT64_MIN, 0), Error);
}

TEST(HostTensor, set_rounds_once_and_saturates) {
  const auto stored = [](DType dtype, double value) {
    HostTensor tensor(dtype, {1});
    tensor.set(0, value);
    return tensor.at(0);
  };
  EXPECT_EQ(stored(DType::e4m3, 1.0625 + 0x1p-40), 1.125);  // f32 on the way would give 1.0
  EXPECT_EQ(stored(DType::e4m3, 1e9), 448);
  EXPECT_EQ(stored(DType::e5m2, -1e9), -57344);
  EXPECT_EQ(stored(DType::f16, 1e9), std::numeric_limits<double>::infinity());
  EXPECT_EQ(stored(DType::e8m0, 3.1), 4);
  EXPECT_EQ(stored(DType::f64, 0.1), 0.1);
  EXPECT_EQ(stored(DType::f32, 0.1), 0.1f);
  EXPECT_EQ(stored(DType::bf16, 3.0), 3);
  EXPECT_EQ(stored(DType::i8, 2.5), 2);
  EXPECT_EQ(stored(DType::i8, -200), -128);
  EXPECT_EQ(stored(DType::u8, -1), 0);
  EXPECT_EQ(stored(DType::u8, 255.5), 255);
  EXPECT_EQ(stored(DType::i32, 3.5), 4);
  EXPECT_EQ(stored(DType::i32, std::nan("")), 0);
  EXPECT_EQ(stored(DType::boolean, 0.5), 1);
  HostTensor wide(DType::i64, {1});
  wide.set(0, 1e300);
  EXPECT_EQ(wide.at_int(0), INT64_MAX);
  wide.set(0, -1e300);
  EXPECT_EQ(wide.at_int(0), INT64_MIN);
  HostTensor infinite(DType::f32, {1});
  infinite.set(0, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(infinite.at_int(0), INT64_MIN);
}

TEST(HostTensor, set_int_rounds_once) {
  const auto stored = [](DType dtype, int64_t value) {
    HostTensor tensor(dtype, {1});
    tensor.set_int(0, value);
    return tensor;
  };
  // 2^60 + 2^52 + 1 is just above the middle of two bf16 values; through a double it would be the middle, and go to even.
  const int64_t above = (int64_t{1} << 60) + (int64_t{1} << 52) + 1;
  EXPECT_EQ(stored(DType::bf16, above).at(0), 0x1.02p60);
  EXPECT_EQ(stored(DType::bf16, -above).at(0), -0x1.02p60);
  EXPECT_EQ(stored(DType::bf16, above - 1).at(0), 0x1p60);
  EXPECT_EQ(stored(DType::f32, (int64_t{1} << 60) + (int64_t{1} << 36) + 1).at(0), 0x1.000002p60);
  EXPECT_EQ(stored(DType::i64, INT64_MIN).at_int(0), INT64_MIN);
  EXPECT_EQ(stored(DType::f32, INT64_MIN).at(0), -0x1p63);
  EXPECT_EQ(stored(DType::i32, INT64_MAX).at_int(0), INT32_MAX);
  EXPECT_EQ(stored(DType::i8, -1000).at_int(0), -128);
  EXPECT_EQ(stored(DType::u8, 300).at_int(0), 255);
  EXPECT_EQ(stored(DType::boolean, 4).at_int(0), 1);
  EXPECT_EQ(stored(DType::f16, 3).at_int(0), 3);
}

TEST(HostTensor, to_and_from_f32) {
  const std::vector<float> values{0, -1.5f, 448, 3, 100};
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const HostTensor tensor = from_f32(dtype, {5}, values);
    const std::vector<float> back = to_f32(tensor);
    for (int64_t k = 0; k < 5; ++k) {
      HostTensor one(dtype, {1});
      one.set(0, values[k]);
      const auto expected = static_cast<float>(one.at(0));
      if (std::isnan(expected)) EXPECT_TRUE(std::isnan(back[k])) << name_of(dtype);
      else EXPECT_EQ(back[k], expected) << name_of(dtype) << k;
    }
  }
  EXPECT_THROW(from_f32(DType::f32, {2}, values), Error);
  EXPECT_TRUE(to_f32(HostTensor()).empty());
}

TEST(HostTensor, same_bytes_compares_everything) {
  const std::vector<int32_t> values{1, 2, 3, 4};
  const auto tensor = HostTensor::of<int32_t>(DType::i32, {2, 2}, values);
  EXPECT_TRUE(tensor.same_bytes(HostTensor::of<int32_t>(DType::i32, {2, 2}, values)));
  EXPECT_FALSE(tensor.same_bytes(tensor.reshaped({4})));
  EXPECT_FALSE(tensor.same_bytes(HostTensor::of<int32_t>(DType::f32, {2, 2}, values)));
  HostTensor other = tensor;
  other.set_int(3, 5);
  EXPECT_FALSE(tensor.same_bytes(other));
  EXPECT_EQ(tensor.as<int32_t>()[3], 4);
}

}  // namespace
}  // namespace octet
