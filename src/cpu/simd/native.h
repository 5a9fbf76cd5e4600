// `Native`: the widest f32 vector of the including file's instruction set. A kernel written over it once (NAME_inl.h) is compiled
// by NAME.cpp, NAME_avx2.cpp and NAME_avx512.cpp; all of it has internal linkage, so no copy for a newer CPU leaves its file.
#pragma once
#if defined(__AVX512F__)
#include "cpu/simd/f32x16_avx512.h"
#elif defined(__AVX2__)
#include "cpu/simd/f32x8_avx2.h"
#else
#include "cpu/simd/f32x4.h"
#endif
#include "cpu/simd/math.h"
#include "cpu/simd/reduce.h"

namespace octet::cpu {
namespace {

#if defined(__AVX512F__)
using Native = F32x16;
#elif defined(__AVX2__)
using Native = F32x8;
#else
using Native = F32x4;
#endif

}  // namespace
}  // namespace octet::cpu
