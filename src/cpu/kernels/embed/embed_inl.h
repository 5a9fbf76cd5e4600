// Embedding rows over a vector type V: one or two additions in f32 and one rounding, from tables of dtype kType.

#pragma once
#include "cpu/kernels/embed/embed_rows.h"
#include "cpu/simd/native.h"

namespace octet::cpu {
namespace {

inline int64_t id_at(const EmbedProblem& p, const void* ids, int64_t row) {
  return p.ids == DType::i32 ? static_cast<const int32_t*>(ids)[row] : static_cast<const int64_t*>(ids)[row];
}

template <class V, DType kType>
void add_row(const EmbedProblem& p, const EmbedArgs& a, int64_t row) {
  const int64_t token = id_at(p, a.ids, row) * p.cols, position = row % p.tokens * p.cols, y = row * p.cols;
  const int64_t type = p.types > 0 ? id_at(p, a.types, row) * p.cols : 0;
  for (int64_t c = 0; c < p.cols; c += V::kLanes) {
    const auto mask = V::first(p.cols - c);
    V sum = load_as(kType, a.token, token + c, mask) + load_as(kType, a.position, position + c, mask);
    if (p.types > 0) sum = sum + load_as(kType, a.type, type + c, mask);
    store_as(kType, a.y, y + c, sum, mask);
  }
}

template <class V>
void embed(const EmbedProblem& p, const EmbedArgs& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    if (p.table == DType::f16) add_row<V, DType::f16>(p, a, r);
    if (p.table == DType::bf16) add_row<V, DType::bf16>(p, a, r);
    if (p.table == DType::f32) add_row<V, DType::f32>(p, a, r);
  }
}

}  // namespace
}  // namespace octet::cpu
