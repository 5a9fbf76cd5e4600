// The conversions against independent truth: values by the formats' formula (ldexp), rounding by nearest-even search over
// the sorted table of a format's values, and the CPU's own f16 conversion where it has one.
#include "numeric/convert.h"

#include <gtest/gtest.h>
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace octet {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A format as its definition reads: the values of the codes 0..top, ascending. `past` (if any) is the code of infinity,
// whose place in the table is the value that the next binade would start with.
struct Spec {
  std::string name;
  int mantissa, bias, top;
  bool has_infinity;
  std::vector<double> values;

  Spec(std::string n, int m, int b, int t, bool infinity) : name(std::move(n)), mantissa(m), bias(b), top(t), has_infinity(infinity) {
    for (int code = 0; code <= top; ++code) values.push_back(formula(code));
  }
  double formula(int code) const {
    const int field = code >> mantissa;
    const double fraction = std::ldexp(code & ((1 << mantissa) - 1), -mantissa);
    return field == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, field - bias);
  }
  // Nearest code of |value|, ties to the even code, by search.
  int nearest(double value) const {
    const double magnitude = std::fabs(value);
    const auto above = std::lower_bound(values.begin(), values.end(), magnitude);
    if (above == values.end()) return top;
    const int code = static_cast<int>(above - values.begin());
    if (code == 0 || *above == magnitude) return code;
    const double to_above = *above - magnitude, to_below = magnitude - values[code - 1];  // exact where they are close
    if (to_above != to_below) return to_above < to_below ? code : code - 1;
    return code % 2 == 0 ? code : code - 1;
  }
};

const Spec& e4m3() {
  static const Spec spec("e4m3", 3, 7, 0x7e, false);
  return spec;
}
const Spec& e5m2() {
  static const Spec spec("e5m2", 2, 15, 0x7b, false);
  return spec;
}
const Spec& f16() {
  static const Spec spec("f16", 10, 15, 0x7c00, true);
  return spec;
}
const Spec& bf16() {
  static const Spec spec("bf16", 7, 127, 0x7f80, true);
  return spec;
}

template <class Value>
int encode(const Spec& spec, Value value) {
  if (&spec == &e4m3()) return encode_e4m3(value);
  if (&spec == &e5m2()) return encode_e5m2(value);
  return &spec == &f16() ? encode_f16(value) : encode_bf16(value);
}
int sign_bit(const Spec& spec) { return spec.top > 0xff ? 0x8000 : 0x80; }

template <class Value>
void expect_nearest(const Spec& spec, Value value) {
  ASSERT_EQ(encode(spec, value), spec.nearest(value)) << spec.name << " of " << std::hexfloat << value;
  ASSERT_EQ(encode(spec, -value), spec.nearest(value) | sign_bit(spec)) << spec.name << " of " << std::hexfloat << -value;
}

TEST(Decode, e4m3_is_the_formula) {
  for (int code = 0; code < 256; ++code) {
    const float value = decode_e4m3(static_cast<uint8_t>(code));
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
    if ((code & 0x7f) == 0x7f) EXPECT_TRUE(std::isnan(value)) << code;
    else EXPECT_EQ(std::fabs(value), e4m3().formula(code & 0x7f)) << code;
  }
  EXPECT_EQ(decode_e4m3(0x7e), 448);
  EXPECT_EQ(decode_e4m3(0x01), 0x1p-9f);
}

TEST(Decode, e5m2_is_the_formula) {
  for (int code = 0; code < 256; ++code) {
    const float value = decode_e5m2(static_cast<uint8_t>(code));
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
    if ((code & 0x7f) > 0x7c) EXPECT_TRUE(std::isnan(value)) << code;
    else if ((code & 0x7f) == 0x7c) EXPECT_TRUE(std::isinf(value)) << code;
    else EXPECT_EQ(std::fabs(value), e5m2().formula(code & 0x7f)) << code;
  }
  EXPECT_EQ(decode_e5m2(0x7b), 57344);
}

TEST(Decode, e8m0_is_a_power_of_two) {
  for (int code = 0; code < 255; ++code) {
    EXPECT_EQ(decode_e8m0(static_cast<uint8_t>(code)), std::ldexp(1.0, code - 127)) << code;
    EXPECT_EQ(encode_e8m0(decode_e8m0(static_cast<uint8_t>(code))), code);
  }
  EXPECT_TRUE(std::isnan(decode_e8m0(0xff)));
}

TEST(Decode, f16_and_bf16_are_the_formula_and_come_back) {
  for (const Spec* spec : {&f16(), &bf16()}) {
    for (int code = 0; code < 0x10000; ++code) {
      const auto bits = static_cast<uint16_t>(code);
      const float value = spec == &f16() ? decode_f16(bits) : decode_bf16(bits);
      const int magnitude = code & 0x7fff;
      ASSERT_EQ(std::signbit(value), code >= 0x8000) << spec->name << code;
      if (magnitude > spec->top) {
        const int quiet = spec == &f16() ? 0x200 : 0x40;
        ASSERT_TRUE(std::isnan(value)) << spec->name << code;
        ASSERT_EQ(encode(*spec, value), code | quiet) << spec->name;
        continue;
      }
      ASSERT_EQ(std::fabs(value), magnitude == spec->top ? kInf : spec->formula(magnitude)) << spec->name << code;
      ASSERT_EQ(encode(*spec, value), code) << spec->name;
      ASSERT_EQ(encode(*spec, static_cast<double>(value)), code) << spec->name;
    }
  }
}

TEST(Encode, every_f16_and_bf16_value_to_float8_is_nearest_even) {
  for (const Spec* spec : {&e4m3(), &e5m2()})
    for (int code = 0; code < 0x10000; ++code)
      for (const float value : {decode_f16(static_cast<uint16_t>(code)), decode_bf16(static_cast<uint16_t>(code))}) {
        const int expected = std::isnan(value) ? 0x7f : spec->nearest(value);
        ASSERT_EQ(encode(*spec, value), expected | (std::signbit(value) ? 0x80 : 0)) << spec->name << " " << value;
        ASSERT_EQ(encode(*spec, static_cast<double>(value)), expected | (std::signbit(value) ? 0x80 : 0)) << spec->name << " " << value;
      }
}

TEST(Encode, midpoints_and_their_neighbours) {
  for (const Spec* spec : {&e4m3(), &e5m2(), &f16(), &bf16()})
    for (size_t i = 0; i + 1 < spec->values.size(); ++i) {
      const double middle = spec->values[i] + (spec->values[i + 1] - spec->values[i]) / 2;
      const auto narrow = static_cast<float>(middle);
      ASSERT_EQ(narrow, middle);
      for (const float value : {narrow, std::nextafterf(narrow, 0), std::nextafterf(narrow, INFINITY)}) expect_nearest(*spec, value);
      // A double this close to a midpoint rounds to it in f32: two roundings would then go to even, wrongly.
      for (const double value : {middle, std::nextafter(middle, 0), std::nextafter(middle, kInf)}) expect_nearest(*spec, value);
      ASSERT_EQ(encode(*spec, std::nextafter(middle, 0)), static_cast<int>(i)) << spec->name;
      ASSERT_EQ(encode(*spec, std::nextafter(middle, kInf)), static_cast<int>(i) + 1) << spec->name;
      ASSERT_EQ(encode(*spec, middle), static_cast<int>(i + (i & 1))) << spec->name;
    }
}

TEST(Encode, random_floats_and_doubles_are_nearest_even) {
  constexpr uint32_t kSeed = 20240611;
  RecordProperty("seed", kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    // An exponent near the formats' range, every mantissa bit random.
    const double wide = std::bit_cast<double>((random() & 0xfffffffffffff) | (1023 - 140 + random() % 280) << 52);
    for (const Spec* spec : {&e4m3(), &e5m2(), &f16(), &bf16()}) {
      if (!std::isnan(value)) expect_nearest(*spec, std::fabs(value));
      expect_nearest(*spec, wide);
    }
  }
}

TEST(Encode, specials) {
  for (const Spec* spec : {&e4m3(), &e5m2(), &f16(), &bf16()}) {
    EXPECT_EQ(encode(*spec, 0.0f), 0);
    EXPECT_EQ(encode(*spec, -0.0f), sign_bit(*spec));
    EXPECT_EQ(encode(*spec, -0.0), sign_bit(*spec));
    EXPECT_EQ(encode(*spec, std::numeric_limits<double>::denorm_min()), 0);
    EXPECT_EQ(encode(*spec, INFINITY), spec->top);
    EXPECT_EQ(encode(*spec, kInf), spec->top);
    EXPECT_EQ(encode(*spec, -kInf), spec->top | sign_bit(*spec));
    EXPECT_EQ(encode(*spec, std::numeric_limits<double>::max()), spec->top);
    const int nan = spec == &f16() ? 0x7e00 : spec == &bf16() ? 0x7fc0 : 0x7f;
    EXPECT_EQ(encode(*spec, kNan), nan);
    EXPECT_EQ(encode(*spec, std::copysign(kNan, -1.0f)), nan | sign_bit(*spec));
    EXPECT_EQ(encode(*spec, std::copysign(static_cast<double>(kNan), -1.0)), nan | sign_bit(*spec));
  }
  EXPECT_EQ(encode_e4m3(1e30f), 0x7e);
  EXPECT_EQ(encode_e4m3(-465.0f), 0xfe);
  EXPECT_EQ(encode_e5m2(61441.0f), 0x7b);
  EXPECT_EQ(encode_f16(65519.996f), 0x7bff);
  EXPECT_EQ(encode_f16(65520.0f), 0x7c00);
  EXPECT_EQ(encode_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Encode, e8m0_is_the_nearest_power) {
  for (int code = 0; code < 254; ++code) {
    const double middle = 1.5 * std::ldexp(1.0, code - 127);
    for (const double value : {middle, static_cast<double>(std::nextafterf(static_cast<float>(middle), INFINITY)),
                               static_cast<double>(std::nextafterf(static_cast<float>(middle), 0))}) {
      const int expected = value > middle ? code + 1 : value < middle ? code : code + (code & 1);
      EXPECT_EQ(encode_e8m0(static_cast<float>(value)), expected) << value;
      EXPECT_EQ(encode_e8m0(value), expected) << value;
    }
    EXPECT_EQ(encode_e8m0(std::nextafter(middle, kInf)), code + 1);
    EXPECT_EQ(encode_e8m0(std::nextafter(middle, 0)), code);
  }
  EXPECT_EQ(encode_e8m0(0.0f), 0);
  EXPECT_EQ(encode_e8m0(-0.0f), 0);
  EXPECT_EQ(encode_e8m0(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(encode_e8m0(INFINITY), 0xfe);
  EXPECT_EQ(encode_e8m0(kInf), 0xfe);
  EXPECT_EQ(encode_e8m0(kNan), 0xff);
  EXPECT_EQ(encode_e8m0(-1.0f), 0xff);
  EXPECT_EQ(encode_e8m0(-INFINITY), 0xff);
}

// The CPU's double -> float conversion is IEEE 754 nearest even.
TEST(Encode, f32_is_the_hardware_cast) {
  constexpr uint32_t kSeed = 7;
  RecordProperty("seed", kSeed);
  std::mt19937_64 random(kSeed);
  const auto expect_same = [](double value) {
    ASSERT_EQ(std::bit_cast<uint32_t>(encode_f32(value)), std::bit_cast<uint32_t>(static_cast<float>(value))) << std::hexfloat << value;
  };
  for (int i = 0; i < 2000000; ++i) {
    const auto narrow = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isfinite(narrow)) continue;
    const double middle = (static_cast<double>(narrow) + static_cast<double>(std::nextafterf(narrow, INFINITY))) / 2;
    for (const double value : {middle, std::nextafter(middle, kInf), std::nextafter(middle, -kInf), std::bit_cast<double>(random())})
      if (!std::isnan(value)) expect_same(value);
  }
  for (const double value : {0.0, -0.0, kInf, -kInf, 0x1.ffffffp127, 0x1.fffffefffffffp127, 0x1p-150, 0x1.0000000000001p-150})
    expect_same(value);
}

__attribute__((target("f16c"))) uint16_t hardware_f16(float value) { return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT); }
__attribute__((target("f16c"))) float hardware_f32(uint16_t bits) { return _cvtsh_ss(bits); }

TEST(Encode, f16_equals_f16c) {
  if (!__builtin_cpu_supports("f16c")) GTEST_SKIP() << "this CPU has no F16C";
  for (int code = 0; code < 0x10000; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    ASSERT_EQ(std::bit_cast<uint32_t>(decode_f16(bits)), std::bit_cast<uint32_t>(hardware_f32(bits))) << code;
  }
  constexpr uint32_t kSeed = 11;
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  for (int i = 0; i < 10000000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    ASSERT_EQ(encode_f16(value), hardware_f16(value)) << std::hexfloat << value;
  }
  for (size_t i = 0; i + 1 < f16().values.size(); ++i) {
    const auto middle = static_cast<float>((f16().values[i] + f16().values[i + 1]) / 2);
    for (const float value : {middle, std::nextafterf(middle, 0), std::nextafterf(middle, INFINITY), -middle})
      ASSERT_EQ(encode_f16(value), hardware_f16(value)) << std::hexfloat << value;
  }
}

TEST(Many, equals_one_by_one_from_unaligned_bytes) {
  std::vector<uint8_t> bytes(1 + 2 * 0x10000);
  for (int code = 0; code < 0x10000; ++code) bytes[1 + 2 * code] = code & 0xff, bytes[2 + 2 * code] = static_cast<uint8_t>(code >> 8);
  std::vector<float> values(0x10000);
  for (const DType dtype : {DType::f16, DType::bf16}) {
    decode_many(dtype, bytes.data() + 1, 0x10000, values.data());
    for (int code = 0; code < 0x10000; ++code) {
      const auto bits = static_cast<uint16_t>(code);
      ASSERT_EQ(std::bit_cast<uint32_t>(values[code]), std::bit_cast<uint32_t>(dtype == DType::f16 ? decode_f16(bits) : decode_bf16(bits)));
    }
    std::vector<uint8_t> back(bytes.size());
    encode_many(dtype, values.data(), 0x10000, back.data() + 1);
    const uint8_t quiet = dtype == DType::f16 ? 0x02 : 0x40;
    const size_t quiet_byte = dtype == DType::f16 ? 1 : 0;
    for (int code = 0; code < 0x10000; ++code) {
      if (std::isnan(values[code])) bytes[1 + 2 * code + quiet_byte] |= quiet;
      ASSERT_EQ(back[1 + 2 * code], bytes[1 + 2 * code]) << code;
      ASSERT_EQ(back[2 + 2 * code], bytes[2 + 2 * code]) << code;
      bytes[1 + 2 * code] = code & 0xff, bytes[2 + 2 * code] = static_cast<uint8_t>(code >> 8);
    }
  }
}

}  // namespace
}  // namespace octet
