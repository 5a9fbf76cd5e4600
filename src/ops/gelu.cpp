// Gelu and QuickGelu.
#include "ops/gelu.h"

#include <cmath>
#include <numbers>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

template <class F>
void map(HostTensor& out, const HostTensor& in, F f) {
  const ops::Reader x(in);
  const ops::Writer write(out);
  for (int64_t i = 0; i < out.count(); ++i) write(i, f(x[i]));
}

double gelu_erf(double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_tanh(double x) {
  static const double kFactor = std::sqrt(2 * std::numbers::inv_pi);
  return x / 2 * (1 + std::tanh(kFactor * (x + 0.044715 * x * x * x)));
}

}  // namespace

std::vector<Inferred> Gelu::infer(InferContext& context) const {
  ops::float_input(context, "T1", 0);
  ops::check(context, approximate == "none" || approximate == "tanh", "A1", fmt::format("approximate is \"{}\"", approximate),
             "use \"none\" or \"tanh\"");
  return {ops::like_input(context)};
}

std::vector<HostTensor> Gelu::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  map(out[0], *in[0], approximate == "tanh" ? gelu_tanh : gelu_erf);
  return out;
}

std::vector<Inferred> QuickGelu::infer(InferContext& context) const {
  ops::float_input(context, "T1", 0);
  return {ops::like_input(context)};
}

std::vector<HostTensor> QuickGelu::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  map(out[0], *in[0], [this](double x) { return x / (1 + std::exp(-static_cast<double>(alpha) * x)); });
  return out;
}

}  // namespace octet
