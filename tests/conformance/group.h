// Cases of one kind as one plan: every step stands alone, with buffers of its own that a test fills. A backend prepares them together,
// so that a GPU's kernels compile side by side. Values are spread as trained models spread them.
#pragma once
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace octet::conformance {

constexpr int64_t kLargestBatch = 5;

// What a buffer holds before its step runs: mean + deviation * a normal value, or integers below `ids` where that is set.
struct Fill {
  double mean = 0, deviation = 1;
  int64_t ids = 0;
};
constexpr Fill kCodes{0, 60, 0};  // e4m3 when scale = amax / 448

struct Case {
  int64_t batch;
  uint32_t seed;
};

class Group {
 public:
  plan::Id buffer(DType dtype, std::vector<int64_t> dims, const Fill& fill = {});
  plan::Id weight(DType dtype, std::vector<int64_t> dims, const Fill& fill = {});
  plan::Id positive(int64_t count);  // an f32 weight of scales between 1/4 and 4
  void step(plan::Operation op, int64_t batch);
  // The bytes of a buffer for a case.
  std::vector<std::byte> values(plan::Id id, const Case& c) const;

  std::shared_ptr<plan::Plan> plan = std::make_shared<plan::Plan>();
  std::vector<Case> cases;  // parallel to plan->steps

 private:
  std::vector<Fill> fills_;  // parallel to plan->buffers
  uint32_t seed_ = 0;
};

// "gemm_e4m3", "attention_f16", "norm", ...; the text before the first _ is the family of kernel rows.
std::span<const std::string> group_names();
Group make_group(const std::string& name);

// By family; `type` is that of the inputs, of no account to the last four.
void add_gemm(Group& group, DType type);
void add_attention(Group& group, DType type);
void add_masked(Group& group);           // attention with a mask of keys
void add_attention_steps(Group& group);  // unfused
void add_masked_steps(Group& group);     // the softmax with a mask of keys
void add_norm(Group& group);
void add_embed(Group& group);
void add_typed_embed(Group& group);  // with token types
void add_patch_embed(Group& group);
void add_pool(Group& group);
void add_l2normalize(Group& group);
void add_fake_quantize(Group& group);
void add_pointwise(Group& group);

}  // namespace octet::conformance
