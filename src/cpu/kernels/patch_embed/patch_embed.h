// y[b,s,:] = round(sum_k w[:,k] * patch(b, s - c)[k] * scale + bias + position[s,:]); k over [C, P, P]; c = 1 with a class token,
// whose row 0 is round(class_token + position[0]). Pixels f16, bf16 or f32 [batch, C, H, W]; w [cols, C*P*P] f16, f32 or e4m3, packed once;
// y f16, bf16 or f32 [batch, S, cols]. f16 / f32 products accumulate in f32. The picture is read in place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "numeric/dtype.h"

namespace octet::cpu {

struct PatchEmbedProblem {
  DType pixels = DType::f16, w = DType::f16, out = DType::f16;
  int64_t channels = 3, height = 0, width = 0, patch = 0, cols = 0;
  bool class_token = true;
};
struct PatchEmbedArgs {
  const void* pixels;
  const void* packed;
  const float *bias, *class_token, *position;  // [cols] zeros if none; [cols] or nullptr; [S, cols]
  float scale;
  void* y;
  int64_t batch;
  void* scratch;
};
struct PatchEmbedKernel {
  std::string_view name;
  uint32_t isa;
  Refusal (*accepts)(const PatchEmbedProblem&);
  size_t (*packed_bytes)(const PatchEmbedProblem&);
  void (*pack)(const PatchEmbedProblem&, const void* w, void* packed);
  size_t (*scratch_bytes)(const PatchEmbedProblem&);
  void (*run)(const PatchEmbedProblem&, const PatchEmbedArgs&, int thread, int threads);
};
std::span<const PatchEmbedKernel> patch_embed_kernels();

}  // namespace octet::cpu
