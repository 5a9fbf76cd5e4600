// Which buffers of a plan lie in the tiled form of kernels/gemm/gemm.h on this machine, and their memory. A tiled buffer goes from one GEMM
// to the next and to nothing else: fc1's output, which fc2 then multiplies without widening it again for every panel of its weight.
#pragma once
#include <vector>

#include "base/aligned.h"
#include "cpu/steps/step.h"

namespace octet::cpu {

class TiledBuffers {
 public:
  TiledBuffers() = default;
  explicit TiledBuffers(const plan::Plan& plan);

  bool holds(plan::Id id) const { return id < tiled_.size() && tiled_[id].rows != 0; }
  GemmForms forms_of(const plan::Gemm& op) const { return {holds(op.a), holds(op.out)}; }
  size_t bytes(int64_t items) const;  // one memory for all: no two live at a time
  // Step by step, callers see the plan's own form: from `plain` before `step` reads it, to `plain` after `step` wrote it.
  void fill(const plan::Step& step, int64_t items, std::span<std::byte* const> plain, std::byte* tiled) const;
  void empty(const plan::Step& step, int64_t items, const std::byte* tiled, std::span<std::byte* const> plain) const;

 private:
  struct Form {
    DType dtype = DType::e4m3;
    int64_t rows = 0, columns = 0;  // an item's; 0 rows: not tiled
  };
  std::vector<Form> tiled_;  // by buffer id
};

}  // namespace octet::cpu
