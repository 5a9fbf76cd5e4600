// BatchNormalization.
#include "ops/batch_normalization.h"

#include <cmath>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {

std::vector<Inferred> BatchNormalization::infer(InferContext& context) const {
  const TensorType& x = context.in(0).type;
  ops::same_dtype(context, "T1", 0, 5);
  ops::float_input(context, "T2", 0);
  ops::check(context, training_mode == 0, "A1", fmt::format("training_mode is {}", training_mode), "export the model for inference");
  ops::check(context, std::isfinite(epsilon) && epsilon >= 0, "A1", fmt::format("epsilon is {}", epsilon));
  if (!ops::check(context, x.shape.size() >= 2, "S1", fmt::format("x {} has no channel axis", to_string(x.shape)))) return {{x, {}}};
  for (int i = 1; i < 5; ++i) {
    const Shape& shape = context.in(i).type.shape;
    ops::check(context, shape == Shape{x.shape[1]}, "S1",
               fmt::format("{} is {}, x has {} channels", context.input_name(i), to_string(shape), to_string(x.shape[1])));
  }
  return {ops::output(context, x.dtype, x.shape)};
}

std::vector<HostTensor> BatchNormalization::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto [outer, channels, inner] = ops::around(in[0]->dims(), 1);
  const ops::Reader x(*in[0]), scale(*in[1]), bias(*in[2]), mean(*in[3]), variance(*in[4]);
  const ops::Writer write(out[0]);
  for (int64_t i = 0; i < outer * channels * inner; ++i) {
    const int64_t c = i / inner % channels;
    write(i, (x[i] - mean[c]) / std::sqrt(variance[c] + static_cast<double>(epsilon)) * scale[c] + bias[c]);
  }
  return out;
}

}  // namespace octet
