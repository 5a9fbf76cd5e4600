// Softmax.
#include "ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {

std::vector<Inferred> Softmax::infer(InferContext& context) const {
  ops::float_input(context, "T1", 0);
  ops::checked_axis(context, "S1", axis, static_cast<int64_t>(context.in(0).type.shape.size()));
  return {ops::like_input(context)};
}

std::vector<HostTensor> Softmax::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto [outer, size, inner] = ops::around(in[0]->dims(), *ops::normalize_axis(axis, in[0]->rank()));
  if (out[0].count() == 0) return out;
  const ops::Reader x(*in[0]);
  const ops::Writer write(out[0]);
  std::vector<double> row(static_cast<size_t>(size));
  for (int64_t slice = 0; slice < outer * inner; ++slice) {
    const int64_t begin = slice / inner * size * inner + slice % inner;
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < size; ++i) largest = std::max(largest, x[begin + i * inner]);
    for (int64_t i = 0; i < size; ++i) sum += row[static_cast<size_t>(i)] = std::exp(x[begin + i * inner] - largest);
    for (int64_t i = 0; i < size; ++i) write(begin + i * inner, row[static_cast<size_t>(i)] / sum);
  }
  return out;
}

}  // namespace octet
