// Conversions by integer arithmetic on the bits; one rounding routine serves every source and target format.
#include "numeric/convert.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace octet {
namespace {

struct Format {
  int mantissa, bias;
};
constexpr Format kF64{52, 1023}, kF32{23, 127}, kF16{10, 15}, kBf16{7, 127}, kE4m3{3, 7}, kE5m2{2, 15};

template <class Float>
struct Source;
template <>
struct Source<float> {
  using Bits = uint32_t;
  static constexpr Format kFormat = kF32;
};
template <>
struct Source<double> {
  using Bits = uint64_t;
  static constexpr Format kFormat = kF64;
};

// A finite value or infinity is significand * 2^(exponent - mantissa); its significand is below 2^(mantissa + 1).
template <class Float>
struct Parts {
  using Bits = typename Source<Float>::Bits;
  static constexpr Format kFormat = Source<Float>::kFormat;
  static constexpr int kWidth = std::numeric_limits<Bits>::digits;
  static constexpr Bits kInfinity = ((Bits{1} << (kWidth - 1 - kFormat.mantissa)) - 1) << kFormat.mantissa;
  Bits significand, magnitude;
  int exponent;
  bool negative;

  explicit Parts(Float value) {
    const Bits bits = std::bit_cast<Bits>(value);
    negative = bits >> (kWidth - 1);
    magnitude = bits & ~(Bits{1} << (kWidth - 1));
    const int field = static_cast<int>(magnitude >> kFormat.mantissa);
    significand = magnitude & ((Bits{1} << kFormat.mantissa) - 1);
    if (field != 0) significand |= Bits{1} << kFormat.mantissa;
    exponent = (field != 0 ? field : 1) - kFormat.bias;
  }
  bool is_nan() const { return magnitude > kInfinity; }
};

// The magnitude code of `parts` in `target`, nearest even, as if the exponent had no upper end. A carry out of the
// mantissa raises the exponent field by itself, and a subnormal is a code whose field is 0.
template <Format target, class Float>
uint64_t round_to(const Parts<Float>& parts) {
  constexpr int source_mantissa = Parts<Float>::kFormat.mantissa;
  constexpr int lowest = 1 - target.bias;
  const int exponent = parts.exponent < lowest ? lowest : parts.exponent;
  const int drop = exponent - parts.exponent + source_mantissa - target.mantissa;
  if (drop >= source_mantissa + 2) return 0;  // below half of the smallest subnormal
  const uint64_t significand = parts.significand;
  const uint64_t odd = (significand >> drop) & 1;
  const uint64_t rounded = (significand + (uint64_t{1} << (drop - 1)) - 1 + odd) >> drop;
  return (static_cast<uint64_t>(exponent - lowest) << target.mantissa) + rounded;
}

// `top`: the largest code a number may get (infinity, or the largest finite code); `nan`: the quiet NaN without payload.
template <class Code, Format target, Code top, Code nan, bool payload, class Float>
Code encode(Float value) {
  const Parts<Float> parts(value);
  constexpr int width = std::numeric_limits<Code>::digits;
  const Code sign = static_cast<Code>(static_cast<uint64_t>(parts.negative) << (width - 1));
  if (parts.is_nan()) {
    constexpr int drop = Parts<Float>::kFormat.mantissa - target.mantissa;
    const uint64_t kept = (parts.significand >> drop) & ((uint64_t{1} << target.mantissa) - 1);
    return static_cast<Code>(sign | nan | (payload ? kept : 0));
  }
  const uint64_t code = round_to<target>(parts);
  return static_cast<Code>(sign | (code > top ? top : code));
}

template <class Float>
uint8_t encode_power(Float value) {
  const Parts<Float> parts(value);
  if (parts.is_nan() || (parts.negative && parts.magnitude != 0)) return 0xff;
  if (parts.significand == 0) return 0;
  const uint64_t significand = parts.significand;
  const int lead = 63 - std::countl_zero(significand);
  int code = parts.exponent - Parts<Float>::kFormat.mantissa + lead + 127;
  if (code < 0) return 0;
  const uint64_t doubled = significand << 1, middle = uint64_t{3} << lead;
  if (doubled > middle || (doubled == middle && (code & 1))) ++code;
  return static_cast<uint8_t>(code > 0xfe ? 0xfe : code);
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr float power_of_two(int exponent) {  // -149 to 127
  return exponent < -126 ? std::bit_cast<float>(uint32_t{1} << (exponent + 149))
                         : std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

constexpr float decode8(int code, Format format) {
  const int field = (code & 0x7f) >> format.mantissa, fraction = code & ((1 << format.mantissa) - 1);
  const int significand = field == 0 ? fraction : fraction + (1 << format.mantissa);
  const float magnitude = static_cast<float>(significand) * power_of_two((field == 0 ? 1 : field) - format.bias - format.mantissa);
  return code & 0x80 ? -magnitude : magnitude;
}

constexpr std::array<float, 256> kDecodeE4m3 = [] {
  std::array<float, 256> table{};
  for (int code = 0; code < 256; ++code) table[code] = decode8(code, kE4m3);
  table[0x7f] = kNan, table[0xff] = -kNan;
  return table;
}();
constexpr std::array<float, 256> kDecodeE5m2 = [] {
  std::array<float, 256> table{};
  for (int code = 0; code < 256; ++code) table[code] = decode8(code, kE5m2);
  table[0x7c] = kInfinity, table[0xfc] = -kInfinity;
  for (int code = 0x7d; code <= 0x7f; ++code) table[code] = kNan, table[code | 0x80] = -kNan;
  return table;
}();

template <class Code, class Decode>
void decode_array(const void* bits, int64_t count, float* to, Decode decode) {
  const auto* from = static_cast<const unsigned char*>(bits);
  for (int64_t i = 0; i < count; ++i) {
    Code code;
    std::memcpy(&code, from + i * static_cast<int64_t>(sizeof(Code)), sizeof(Code));
    to[i] = decode(code);
  }
}

template <class Code, class Encode>
void encode_array(const float* from, int64_t count, void* bits, Encode encode) {
  auto* to = static_cast<unsigned char*>(bits);
  for (int64_t i = 0; i < count; ++i) {
    const Code code = encode(from[i]);
    std::memcpy(to + i * static_cast<int64_t>(sizeof(Code)), &code, sizeof(Code));
  }
}

}  // namespace

float decode_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude > 0x7c00) return std::bit_cast<float>(sign | 0x7fc00000 | (magnitude & 0x3ff) << 13);
  if (magnitude == 0x7c00) return std::bit_cast<float>(sign | 0x7f800000);
  if (magnitude >= 0x400) return std::bit_cast<float>(sign | ((magnitude << 13) + ((kF32.bias - kF16.bias) << 23)));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;  // both factors and the product are exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}
float decode_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
float decode_e4m3(uint8_t code) { return kDecodeE4m3[code]; }
float decode_e5m2(uint8_t code) { return kDecodeE5m2[code]; }
float decode_e8m0(uint8_t code) { return code == 0xff ? kNan : power_of_two(code - 127); }

uint16_t encode_f16(float value) { return encode<uint16_t, kF16, 0x7c00, 0x7e00, true>(value); }
uint16_t encode_bf16(float value) { return encode<uint16_t, kBf16, 0x7f80, 0x7fc0, true>(value); }
uint8_t encode_e4m3(float value) { return encode<uint8_t, kE4m3, 0x7e, 0x7f, false>(value); }
uint8_t encode_e5m2(float value) { return encode<uint8_t, kE5m2, 0x7b, 0x7f, false>(value); }
uint8_t encode_e8m0(float value) { return encode_power(value); }
uint16_t encode_f16(double value) { return encode<uint16_t, kF16, 0x7c00, 0x7e00, true>(value); }
uint16_t encode_bf16(double value) { return encode<uint16_t, kBf16, 0x7f80, 0x7fc0, true>(value); }
uint8_t encode_e4m3(double value) { return encode<uint8_t, kE4m3, 0x7e, 0x7f, false>(value); }
uint8_t encode_e5m2(double value) { return encode<uint8_t, kE5m2, 0x7b, 0x7f, false>(value); }
uint8_t encode_e8m0(double value) { return encode_power(value); }
float encode_f32(double value) { return std::bit_cast<float>(encode<uint32_t, kF32, 0x7f800000, 0x7fc00000, true>(value)); }

void decode_many(DType dtype, const void* bits, int64_t count, float* to) {
  switch (dtype) {
    case DType::f32:
      if (count > 0) std::memcpy(to, bits, static_cast<size_t>(count) * 4);
      return;
    case DType::f16:
      return decode_array<uint16_t>(bits, count, to, decode_f16);
    case DType::bf16:
      return decode_array<uint16_t>(bits, count, to, decode_bf16);
    case DType::e4m3:
      return decode_array<uint8_t>(bits, count, to, decode_e4m3);
    case DType::e5m2:
      return decode_array<uint8_t>(bits, count, to, decode_e5m2);
    case DType::e8m0:
      return decode_array<uint8_t>(bits, count, to, decode_e8m0);
    default:
      OCTET_CHECK(false, name_of(dtype));
  }
}

void encode_many(DType dtype, const float* from, int64_t count, void* bits) {
  switch (dtype) {
    case DType::f32:
      if (count > 0) std::memcpy(bits, from, static_cast<size_t>(count) * 4);
      return;
    case DType::f16:
      return encode_array<uint16_t>(from, count, bits, [](float v) { return encode_f16(v); });
    case DType::bf16:
      return encode_array<uint16_t>(from, count, bits, [](float v) { return encode_bf16(v); });
    case DType::e4m3:
      return encode_array<uint8_t>(from, count, bits, [](float v) { return encode_e4m3(v); });
    case DType::e5m2:
      return encode_array<uint8_t>(from, count, bits, [](float v) { return encode_e5m2(v); });
    case DType::e8m0:
      return encode_array<uint8_t>(from, count, bits, [](float v) { return encode_e8m0(v); });
    default:
      OCTET_CHECK(false, name_of(dtype));
  }
}

}  // namespace octet
