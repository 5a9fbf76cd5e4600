#include "cpu/steps/step.h"
#include "numeric/host_tensor.h"

namespace octet::cpu {

std::vector<float> weight_f32(const plan::Plan& plan, plan::Id id, size_t count, float fallback) {
  if (id == plan::kNoId) return std::vector<float>(count, fallback);
  const plan::Weight& weight = plan.weights.at(id);
  return to_f32(HostTensor(weight.dtype, weight.dims, plan.weight_bytes.at(id), nullptr));
}

}  // namespace octet::cpu
