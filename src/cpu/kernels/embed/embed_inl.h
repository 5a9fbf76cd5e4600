// Embedding rows over a vector type V: one addition in f32 and one rounding, from a table of dtype kType.

#pragma once
#include "cpu/kernels/embed/embed_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

template <class V, DType kType>
void add_row(const void* token, int64_t token_at, const void* position, int64_t position_at, void* y, int64_t y_at, int64_t cols) {
  for (int64_t c = 0; c < cols; c += V::kLanes) {
    const auto mask = V::first(cols - c);
    const V sum = load_as(kType, token, token_at + c, mask) + load_as(kType, position, position_at + c, mask);
    store_as(kType, y, y_at + c, sum, mask);
  }
}

template <class V>
void embed(const EmbedProblem& p, const EmbedArgs& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t id = p.ids == DType::i32 ? static_cast<const int32_t*>(a.ids)[r] : static_cast<const int64_t*>(a.ids)[r];
    const int64_t token = id * p.cols, position = r % p.tokens * p.cols, y = r * p.cols;
    if (p.table == DType::f16) add_row<V, DType::f16>(a.token, token, a.position, position, a.y, y, p.cols);
    if (p.table == DType::bf16) add_row<V, DType::bf16>(a.token, token, a.position, position, a.y, y, p.cols);
    if (p.table == DType::f32) add_row<V, DType::f32>(a.token, token, a.position, position, a.y, y, p.cols);
  }
}

}  // namespace
}  // namespace octet::cpu
