// y[b,t,:] = round(token[ids[b,t],:] + position[t,:] [+ type[types[b,t],:]]); tables and y of one float dtype, ids and types i32 or i64.
// Two additions in f32, from the left. Returns false (and leaves y unspecified) if an id lies outside its table.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

struct EmbedProblem {
  DType ids = DType::i64, table = DType::f16;
  int64_t tokens = 0, cols = 0, vocabulary = 0;
  int64_t types = 0;  // rows of the type table; 0: none
};
struct EmbedArgs {
  const void* ids;               // [batch, tokens]
  const void *token, *position;  // [vocabulary, cols], [tokens, cols]
  void* y;                       // [batch, tokens, cols]
  int64_t batch;
  const void *types = nullptr, *type = nullptr;  // [batch, tokens], [types, cols]
};
struct EmbedKernel {
  std::string_view name;
  uint32_t isa;
  Refusal (*accepts)(const EmbedProblem&);
  bool (*run)(const EmbedProblem&, const EmbedArgs&, int thread, int threads);
};
std::span<const EmbedKernel> embed_kernels();

}  // namespace octet::cpu
