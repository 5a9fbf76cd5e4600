// Vectors from and to memory of any float dtype: exact decodes, round-to-nearest-even encodes, same results as numeric/convert.h
// but for NaN payloads. e4m3 saturates at +-448. `partial` touches only the first n < kLanes elements; the other lanes read 0.
#pragma once
#include "cpu/simd/vec.h"
#include "numeric/dtype.h"

namespace octet::cpu {
namespace {

typedef uint8_t Vb __attribute__((vector_size(kLanes)));
typedef uint16_t Vh __attribute__((vector_size(kLanes * 2)));

template <class Narrow>
inline Vi widen(const void* from) {
  Narrow x;
  std::memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Vi);
}
template <class Narrow>
inline void narrow(Vi x, void* to) {
  const Narrow y = __builtin_convertvector(x, Narrow);
  std::memcpy(to, &y, sizeof y);
}

inline Vf decode_e4m3(Vi code) {
  const Vi magnitude = code & 0x7f;
  Vi bits = (magnitude << 20) + (120 << 23);
  bits = magnitude < 8 ? bits_of(to_float(magnitude) * splat(0x1p-9f)) : bits;
  bits = magnitude == 0x7f ? splat(0x7fc00000) : bits;
  return float_of(bits | ((code & 0x80) << 24));
}

inline Vi encode_e4m3(Vf x) {
  const Vi bits = bits_of(x), magnitude = bits & 0x7fffffff;
  const Vi most = splat(0x43e00000);                                    // 448
  const Vi a = magnitude > most ? most : magnitude;
  const Vi normal = shift_right(a + (shift_right(a, 20) & 1) + (0x7ffff - (120 << 23)), 20);
  const Vi subnormal = bits_of(float_of(a) + splat(0x1p14f)) - 0x46800000;  // the sum's last bit weighs 2^-9
  Vi code = a < 0x3c800000 ? subnormal : normal;                        // 2^-6
  code = magnitude > 0x7f800000 ? splat(0x7f) : code;
  return code | (shift_right(bits, 24) & 0x80);
}

inline Vf decode_bf16(Vi bits) { return float_of(bits << 16); }
inline Vi encode_bf16(Vf x) {
  const Vi bits = bits_of(x);
  const Vi rounded = shift_right(bits + (shift_right(bits, 16) & 1) + 0x7fff, 16);
  return (bits & 0x7fffffff) > 0x7f800000 ? (shift_right(bits, 16) | 0x40) : rounded;
}

#if defined(__AVX512F__)
inline Vf load_f16(const void* from) { return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(from))); }
inline void store_f16(Vf x, void* to) { _mm256_storeu_si256(static_cast<__m256i*>(to), _mm512_cvtps_ph(x, 0)); }
#elif defined(__AVX2__)
inline Vf load_f16(const void* from) { return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(from))); }
inline void store_f16(Vf x, void* to) { _mm_storeu_si128(static_cast<__m128i*>(to), _mm256_cvtps_ph(x, 0)); }
#else
inline Vf load_f16(const void* from) {
  const Vi half = widen<Vh>(from), magnitude = half & 0x7fff;
  Vi bits = (magnitude << 13) + (112 << 23);
  bits = magnitude < 0x400 ? bits_of(to_float(magnitude) * splat(0x1p-24f)) : bits;
  bits = magnitude >= 0x7c00 ? (magnitude << 13) | 0x7f800000 : bits;
  return float_of(bits | ((half & 0x8000) << 16));
}
inline void store_f16(Vf x, void* to) {
  const Vi bits = bits_of(x), magnitude = bits & 0x7fffffff;
  const Vi normal = shift_right(magnitude + (shift_right(magnitude, 13) & 1) + (0xfff - (112 << 23)), 13);
  const Vi subnormal = bits_of(float_of(magnitude) + splat(0.5f)) - 0x3f000000;  // the sum's last bit weighs 2^-24
  Vi half = magnitude < 0x38800000 ? subnormal : normal;                          // 2^-14
  half = magnitude >= 0x477ff000 ? splat(0x7c00) : half;                          // 65520 and more
  half = magnitude > 0x7f800000 ? splat(0x7e00) : half;
  narrow<Vh>(half | (shift_right(bits, 16) & 0x8000), to);
}
#endif

constexpr int64_t element_bytes(DType t) { return t == DType::f32 ? 4 : t == DType::e4m3 ? 1 : 2; }

// Elements [index, index + kLanes) of an array of dtype t.
template <DType t>
inline Vf load(const void* base, int64_t index) {
  const void* from = static_cast<const char*>(base) + index * element_bytes(t);
  if constexpr (t == DType::f32) return load(static_cast<const float*>(from));
  if constexpr (t == DType::f16) return load_f16(from);
  if constexpr (t == DType::bf16) return decode_bf16(widen<Vh>(from));
  if constexpr (t == DType::e4m3) return decode_e4m3(widen<Vb>(from));
}
template <DType t>
inline void store(Vf x, void* base, int64_t index) {
  void* to = static_cast<char*>(base) + index * element_bytes(t);
  if constexpr (t == DType::f32) store(x, static_cast<float*>(to));
  if constexpr (t == DType::f16) store_f16(x, to);
  if constexpr (t == DType::bf16) narrow<Vh>(encode_bf16(x), to);
  if constexpr (t == DType::e4m3) narrow<Vb>(encode_e4m3(x), to);
}
template <DType t>
inline Vf load_partial(const void* base, int64_t index, int64_t n) {
  char buffer[kLanes * 4] = {};
  std::memcpy(buffer, static_cast<const char*>(base) + index * element_bytes(t), static_cast<size_t>(n * element_bytes(t)));
  return load<t>(buffer, 0);
}
template <DType t>
inline void store_partial(Vf x, void* base, int64_t index, int64_t n) {
  char buffer[kLanes * 4];
  store<t>(x, buffer, 0);
  std::memcpy(static_cast<char*>(base) + index * element_bytes(t), buffer, static_cast<size_t>(n * element_bytes(t)));
}

// `count` elements of dtype t to f32 and back.
template <DType t>
inline void decode_row(const void* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(load<t>(from, i), to + i);
  if (i < count) store_partial<DType::f32>(load_partial<t>(from, i, count - i), to, i, count - i);
}
template <DType t>
inline void encode_row(const float* from, int64_t count, float scale, void* to) {  // to = round(from * scale)
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store<t>(load(from + i) * splat(scale), to, i);
  if (i < count) store_partial<t>(load_partial<DType::f32>(from, i, count - i) * splat(scale), to, i, count - i);
}
inline void decode_row(DType t, const void* from, int64_t count, float* to) {
  if (t == DType::f32) decode_row<DType::f32>(from, count, to);
  if (t == DType::f16) decode_row<DType::f16>(from, count, to);
  if (t == DType::bf16) decode_row<DType::bf16>(from, count, to);
  if (t == DType::e4m3) decode_row<DType::e4m3>(from, count, to);
}
inline void encode_row(DType t, const float* from, int64_t count, float scale, void* to) {
  if (t == DType::f32) encode_row<DType::f32>(from, count, scale, to);
  if (t == DType::f16) encode_row<DType::f16>(from, count, scale, to);
  if (t == DType::bf16) encode_row<DType::bf16>(from, count, scale, to);
  if (t == DType::e4m3) encode_row<DType::e4m3>(from, count, scale, to);
}

}  // namespace
}  // namespace octet::cpu
