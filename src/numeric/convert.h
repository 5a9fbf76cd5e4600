// Exact conversions of the small float formats, all round-to-nearest-even, all by integer arithmetic on the bits.
// E4M3 is ONNX FLOAT8E4M3FN: bias 7, no infinity, 0x7f/0xff NaN, largest 448 (OCP FP8 1.0; arXiv 2209.05433).
// E5M2: IEEE-like, bias 15, infinities. E8M0: 2^(code - 127), 0xff NaN (OCP MX 1.0). Next: numeric/host_tensor.h.
// Nothing here is inline: a copy compiled with AVX flags could replace the one that plain callers link.
#pragma once
#include <cstdint>

#include "numeric/dtype.h"

namespace octet {

float decode_f16(uint16_t bits);   // exact; NaN becomes quiet and keeps sign and payload, as in hardware
float decode_bf16(uint16_t bits);  // exact
float decode_e4m3(uint8_t code);   // exact
float decode_e5m2(uint8_t code);   // exact
float decode_e8m0(uint8_t code);   // exact

uint16_t encode_f16(float value);   // overflow -> infinity; NaN -> quiet NaN, same sign, leading payload bits
uint16_t encode_bf16(float value);  // likewise
uint8_t encode_e4m3(float value);   // saturates at +-448 (infinity too); NaN -> 0x7f (sign kept)
uint8_t encode_e5m2(float value);   // saturates at +-57344 (infinity too); NaN -> 0x7f (sign kept)
uint8_t encode_e8m0(float value);   // nearest power of two, ties to the even code, clamped to [0, 0xfe]; NaN and negatives -> 0xff

// The same from double, rounding once (never through f32): for the references.
uint16_t encode_f16(double value);
uint16_t encode_bf16(double value);
uint8_t encode_e4m3(double value);
uint8_t encode_e5m2(double value);
uint8_t encode_e8m0(double value);
float encode_f32(double value);  // as IEEE 754: overflow -> infinity

// Whole arrays, for dtype f32 f16 bf16 e4m3 e5m2 e8m0; `bits` may be unaligned. No overlap.
void decode_many(DType dtype, const void* bits, int64_t count, float* to);
void encode_many(DType dtype, const float* from, int64_t count, void* bits);

}  // namespace octet
