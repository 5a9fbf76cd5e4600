// Clip.
#include "ops/clip.h"

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

template <class Read, class Write>
void clip(HostTensor& out, const HostTensor& in, const HostTensor* low, const HostTensor* high) {
  const Read x(in);
  const Write write(out);
  const auto least = low == nullptr ? x[0] : Read(*low)[0];
  const auto most = high == nullptr ? x[0] : Read(*high)[0];
  for (int64_t i = 0; i < out.count(); ++i) {
    auto value = x[i];
    if (low != nullptr && value < least) value = least;
    if (high != nullptr && value > most) value = most;
    write(i, value);
  }
}

}  // namespace

std::vector<Inferred> Clip::infer(InferContext& context) const {
  const DType dtype = context.in(0).type.dtype;
  ops::same_dtype(context, "T1", 0, 3);
  ops::check_dtype(context, "T2", 0, is_float(dtype) || (is_integer(dtype) && dtype != DType::u8), "a float, i8, i32 or i64", DType::f32);
  for (int i = 1; i < 3; ++i)
    if (const Operand* bound = context.input(i)) {
      const auto count = ops::count_of(bound->type.shape);
      ops::check(context, count == ops::Monomial{}, "S1",
                 fmt::format("{} has the shape {}, not one element", context.input_name(i), to_string(bound->type.shape)));
    }
  return {ops::output(context, dtype, context.in(0).type.shape)};
}

std::vector<HostTensor> Clip::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const HostTensor* low = ops::optional_input(in, 1);
  const HostTensor* high = ops::optional_input(in, 2);
  if (is_float(out[0].dtype())) clip<ops::Reader, ops::Writer>(out[0], *in[0], low, high);
  else clip<ops::IntReader, ops::IntWriter>(out[0], *in[0], low, high);
  return out;
}

}  // namespace octet
