// LpNormalization.
#include "ops/lp_normalization.h"

#include <cmath>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {

std::vector<Inferred> LpNormalization::infer(InferContext& context) const {
  ops::float_input(context, "T1", 0);
  ops::check(context, p == 1 || p == 2, "A1", fmt::format("p is {}", p), "use 1 or 2");
  ops::checked_axis(context, "S1", axis, static_cast<int64_t>(context.in(0).type.shape.size()));
  return {ops::like_input(context)};
}

std::vector<HostTensor> LpNormalization::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const auto [outer, size, inner] = ops::around(in[0]->dims(), *ops::normalize_axis(axis, in[0]->rank()));
  const ops::Reader x(*in[0]);
  const ops::Writer write(out[0]);
  for (int64_t slice = 0; slice < outer * inner; ++slice) {
    const int64_t begin = slice / inner * size * inner + slice % inner;
    double norm = 0;
    for (int64_t i = 0; i < size; ++i) {
      const double value = x[begin + i * inner];
      norm += p == 1 ? std::fabs(value) : value * value;
    }
    if (p == 2) norm = std::sqrt(norm);
    for (int64_t i = 0; i < size; ++i) write(begin + i * inner, norm == 0 ? 0 : x[begin + i * inner] / norm);
  }
  return out;
}

}  // namespace octet
